// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// install is a script that installs a package from a repository on the host, adds a
// user and gives a file to another.
const install = `#!/usr/bin/env -S bash -eu
echo "deb [trusted=yes] http://10.0.2.2:PORT ./" >/etc/apt/sources.list
apt-get -qq update
apt-get -qq --no-install-recommends install tiny >/dev/null
useradd --create-home --uid 1234 --shell /bin/bash pat
install -D -o 12 -g 34 -m 2640 /dev/null /srv/odd
if cat /proc/[0-9]*/comm | grep systemd || [ -e /run/systemd ]; then exit 9; fi
`

// scriptChanges are the paths that it changes, with all below.
var scriptChanges = []string{
	"etc/apt/sources.list", "etc/passwd", "etc/passwd-", "etc/shadow", "etc/shadow-", "etc/group", "etc/group-",
	"etc/gshadow", "etc/gshadow-", "etc/subuid", "etc/subuid-", "etc/subgid", "etc/subgid-", "etc/.pwd.lock",
	"home/pat", "opt/tiny", "srv/odd", "var/lib/dpkg", "var/lib/apt", "var/cache/apt", "var/log", "tmp/apt",
}

// TestBuildDebian installs a package in a Debian whose init is systemd, which does
// not run. Nothing changes but what the script has done. Then systemd runs, and the
// user that the script has added logs in.
func TestBuildDebian(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "e2fsck", "umoci", "dpkg-deb", "ssh")
	u := newUser(t, known)
	u.addKernel(t, "debian-6.12", kernel612)
	r := newGuestImages(t)
	parent := u.publishLayout(t, r.image(t, "deb", "", nil, bootstrapWith(t, "systemd-sysv"), systemdLayer(t,
		file("etc/resolv.conf", ""), file("etc/machine-id", "uninitialized\n"))), "600M")
	file := filepath.Join(u.home, "install.sh")
	if err := os.WriteFile(file, []byte(strings.Replace(install, "PORT", aptRepository(t), 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	o := patiently(t, u.command("banger", "image", "build", "--from-image", "deb", "--name", "made", "--script", file))
	if o.code != 0 {
		t.Fatalf("%+v", o)
	}
	built := filepath.Join(strings.TrimSpace(o.stdout), "rootfs.ext4")
	fsck(t, built)
	before, after := readTree(t, mount(t, parent)), readTree(t, mount(t, built))
	for _, path := range slices.Collect(maps.Keys(after)) {
		for _, dir := range scriptChanges {
			if path == dir || strings.HasPrefix(path, dir+"/") {
				delete(after, path)
				delete(before, path)
			}
		}
	}
	for _, path := range scriptChanges { // with another list than before
		delete(before, path)
		if dir := filepath.Dir(path); after[dir] != nil {
			delete(after[dir], "mtime")
			delete(before[dir], "mtime")
		}
	}
	sameTree(t, after, before)
	u.background(t, "made")
	if got := output(t, u.command("banger", "ssh", "pat@made", "id -u; stat -c '%u:%g %a' /srv/odd; /opt/tiny/run; cat /proc/1/comm")); got != "1234\n12:34 2640\ntiny\nsystemd" {
		t.Errorf("%q", got)
	}
}

// aptRepository serves a repository with a package, and returns the port.
func aptRepository(t *testing.T) string {
	t.Helper()
	dir := scratch(t)
	output(t, exec.Command("sh", "-ec", `cd "$1"; mkdir -p tree/DEBIAN tree/opt/tiny
		printf 'Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: tiny\n' >tree/DEBIAN/control
		printf '#!/bin/sh\necho tiny\n' >tree/opt/tiny/run; chmod 755 tree/opt/tiny/run
		dpkg-deb --root-owner-group -b tree tiny.deb`, "sh", dir))
	deb := read(t, filepath.Join(dir, "tiny.deb"))
	packages := fmt.Sprintf("Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nFilename: ./tiny.deb\nSize: %d\nSHA256: %x\nDescription: tiny\n",
		len(deb), sha256.Sum256([]byte(deb)))
	files := map[string]string{"/./Packages": packages, "/Packages": packages, "/tiny.deb": deb, "/./tiny.deb": deb}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address.Port()
}
