// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// guestImages makes the images of TestGuests, in one layout.
type guestImages struct {
	layout string
	mu     sync.Mutex // umoci has no lock
	bases  map[string]bool
}

func newGuestImages(t *testing.T) *guestImages {
	t.Helper()
	r := &guestImages{layout: filepath.Join(publicDir(t), "layout"), bases: map[string]bool{}}
	output(t, exec.Command("umoci", "init", "--layout", r.layout))
	return r
}

// image makes an image with a config, of layers upon another image. It is in a
// layout of its own, which every user can read; the blobs are hard links.
func (r *guestImages) image(t *testing.T, tag, from string, config []string, layers ...string) image {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.make(t, tag, from, config, layers)
	own := image{r.layout + "-" + tag, tag}
	output(t, exec.Command("cp", "-rl", r.layout, own.dir))
	output(t, exec.Command("chmod", "-R", "a+rX", own.dir))
	return own
}

// base makes an image of one layer, once, for others to build upon.
func (r *guestImages) base(t *testing.T, tag, layer string) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.bases[tag] {
		r.make(t, tag, "", nil, []string{layer})
	}
	r.bases[tag] = true
	return tag
}

func (r *guestImages) make(t *testing.T, tag, from string, config, layers []string) {
	t.Helper()
	i := image{r.layout, tag}
	if from == "" {
		output(t, exec.Command("umoci", "new", "--image", i.String()))
	} else {
		output(t, exec.Command("umoci", "tag", "--image", r.layout+":"+from, tag))
	}
	for _, layer := range layers {
		output(t, exec.Command("umoci", "raw", "add-layer", "--image", i.String(), layer))
	}
	args := []string{"config", "--image", i.String()}
	for _, flag := range config {
		args = append(args, "--config."+flag)
	}
	output(t, exec.Command("umoci", args...))
}

// layer writes the archive of a layer.
func layer(t *testing.T, entries ...entry) string {
	t.Helper()
	return writeLayer(t, scratch(t), 1, entries)
}

func program(name, text string) entry { return file(name, text).mode(0o755) }

// busyboxLayer is a layer like Docker's busybox: the programs are hard links in
// /bin, and init is one of them.
func busyboxLayer(t *testing.T) string {
	t.Helper()
	entries := []entry{directory("bin"), program("bin/busybox", busyboxProgram(t))}
	for _, name := range applets(t) {
		entries = append(entries, hardlink("bin/"+name, "bin/busybox").mode(0o755))
	}
	return layer(t, append(entries, program("bin/probe", probeGuest))...)
}

// alpineLayer is a layer like Alpine's: the programs are symlinks, and init is
// configured to start an OpenRC that is not there.
func alpineLayer(t *testing.T) string {
	t.Helper()
	entries := []entry{
		program("bin/busybox", busyboxProgram(t)), symlink("sbin/init", "/bin/busybox"),
		directory("dev"), directory("proc"), directory("root").mode(0o700), directory("run"), directory("sys"), directory("tmp").mode(0o1777),
		file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), file("etc/group", "root:x:0:root\nbin:x:1:root\n"),
		file("etc/hosts", "127.0.0.1 localhost\n"), file("etc/inittab", alpineInittab),
	}
	for _, name := range applets(t) {
		if name != "init" && name != "busybox" {
			entries = append(entries, symlink("bin/"+name, "/bin/busybox"))
		}
	}
	return layer(t, entries...)
}

const alpineInittab = `# /etc/inittab

::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
tty1::respawn:/sbin/getty 38400 tty1
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
`

// busyboxProgram returns the host's busybox, which must be static.
func busyboxProgram(t *testing.T) string {
	t.Helper()
	return read(t, which("busybox"))
}

func applets(t *testing.T) (names []string) {
	t.Helper()
	for _, name := range strings.Fields(output(t, exec.Command("busybox", "--list"))) {
		if name != "busybox" {
			names = append(names, name)
		}
	}
	return names
}

// probeGuest prints what docker run would give it, and then /more what it finds.
// It exits with the status $END, or with 5 when it is asked to.
const probeGuest = `#!/bin/sh
echo "==> $0 $*"
echo "$(id -u):$(id -g) $(id -G)"
pwd
tr '\0' '\n' </proc/$$/environ | sort
for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done
echo again >/dev/stdout
cat /etc/resolv.conf /etc/hosts
[ ! -x /more ] || /more
trap 'echo "==> asked"; exit 5' TERM
echo "==> up"
[ -z "$END" ] || exit "$END"
sleep 3600 &
wait
`

// onTerminal is what the probe prints of streams that are the console, and of the
// names of the machine.
func onTerminal(name string) string {
	return "/dev/ttyS0\n/dev/ttyS0\n/dev/ttyS0\n" + names(name)
}

func names(name string) string {
	return "again\nnameserver 10.0.2.3\n127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + name + "\n"
}

// debLayer is a layer of the files of Debian packages. Their directories are
// left out: in a layer, the /sbin of a package would take the place of a symlink
// to /usr/sbin.
func debLayer(t *testing.T, packages ...string) string {
	t.Helper()
	need(t, "dpkg-deb", "apt-get")
	var entries []entry
	for _, name := range packages {
		archive := tar.NewReader(strings.NewReader(output(t, exec.Command("dpkg-deb", "--fsys-tarfile", cachedPackage(t, name, "packages")))))
		for {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			data, err := io.ReadAll(archive)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if h.Typeflag != tar.TypeDir {
				entries = append(entries, entry{*h, string(data)})
			}
		}
	}
	return layer(t, entries...)
}
