// SPDX-License-Identifier: Apache-2.0

package test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorder stands for a program of a distribution: it records its arguments, and
// whether the services of packages may start.
const recorder = `#!/bin/sh
echo "${0##*/} $*" >>/log
case ${0##*/} in
apt-get) [ "$1" != install ] || { /usr/sbin/policy-rc.d || echo "policy $?" >>/log; } ;;
apt-cache) echo "Package: docker-cli" ;;
chpasswd) cat >>/log ;;
esac
`

// TestCustomize runs the default script of a build in small trees, with programs
// that record what it calls.
func TestCustomize(t *testing.T) {
	need(t, "busybox", "unshare")
	for name, c := range map[string]struct {
		release  string // os-release, "" for none
		programs string
		args     []string
		code     int
		says     string // on standard error
		calls    string
		files    map[string]string // their content
	}{
		"no release": {"", "apt-get", nil, 65, "/etc/os-release: not found, so the distribution is unknown", "", nil},
		"unknown":    {"ID=void\n", "xbps-install", nil, 65, "void: only distributions with apt, apk or dnf are known; write a script for this one", "", nil},
		"distroless": {"ID=debian\n", "dpkg", nil, 65, "apt-get: not found, and debian has no other package manager", "", nil},
		"no docker":  {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf", []string{"--docker"}, 65, "rocky: the distribution has no package of Docker", "", nil},
		"argument":   {"ID=debian\n", "apt-get", []string{"--podman"}, 64, "--podman: unknown argument", "", nil},
		"debian": {"ID=debian\n", "apt-get apt-cache useradd usermod chpasswd", nil, 0, "", `apt-get update
apt-get install -y --no-install-recommends openssh-server sudo curl ca-certificates systemd-sysv dbus
policy 101
useradd --create-home --shell /bin/sh dev
chpasswd -e
dev:*
apt-get clean
`, map[string]string{
			"etc/sudoers.d/dev": "dev ALL=(ALL:ALL) NOPASSWD: ALL\n",
			"etc/systemd/system/ssh.service.d/host-keys.conf": "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n",
		}},
		"ubuntu, docker": {"ID=mine\nID_LIKE=\"ubuntu debian\"\n", "apt-get apt-cache useradd usermod chpasswd", []string{"--docker"}, 0, "", `apt-get update
apt-cache show docker-cli
apt-get install -y --no-install-recommends openssh-server sudo curl ca-certificates systemd-sysv dbus docker.io iptables kmod apparmor docker-cli
policy 101
useradd --create-home --shell /bin/sh dev
chpasswd -e
dev:*
usermod --append --groups docker dev
apt-get clean
`, nil},
		"alpine, docker": {"ID=alpine\n", "apk adduser addgroup chpasswd rc-update", []string{"--docker"}, 0, "", `apk add --no-cache openrc openssh-server sudo curl ca-certificates docker docker-cli iptables kmod
adduser -D -s /bin/sh dev
chpasswd -e
dev:*
addgroup dev docker
rc-update add sshd default
rc-update add cgroups sysinit
rc-update add docker default
`, map[string]string{"etc/rc.conf": "rc_provide=\"loopback net\"\n"}},
		"rocky": {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf useradd usermod chpasswd systemctl", nil, 0, "", `dnf install -y --setopt=install_weak_deps=False systemd openssh-server sudo ca-certificates shadow-utils curl
useradd --create-home --shell /bin/sh dev
chpasswd -e
dev:*
systemctl enable sshd.service
dnf clean all
`, nil},
		"rocky, curl-minimal": {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf curl useradd usermod chpasswd systemctl", nil, 0, "", `dnf install -y --setopt=install_weak_deps=False systemd openssh-server sudo ca-certificates shadow-utils
useradd --create-home --shell /bin/sh dev
chpasswd -e
dev:*
systemctl enable sshd.service
dnf clean all
`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := customizable(t, c.release, strings.Fields(c.programs))
			before := filesOf(t, root)
			o := finish(t, exec.Command("unshare", append([]string{"--map-root-user", "--root=" + root, "/bin/sh", "/customize.sh"}, c.args...)...))
			if c.says != "" {
				c.says = "customize.sh: " + c.says + "\n"
			}
			if o.code != c.code || o.stderr != c.says {
				t.Errorf("exit %d, %q; want %d, %q", o.code, o.stderr, c.code, c.says)
			}
			if after := filesOf(t, root); c.code != 0 && !slices.Equal(before, after) {
				t.Errorf("changed %v to %v", before, after)
			}
			calls, _ := os.ReadFile(filepath.Join(root, "log"))
			if string(calls) != c.calls {
				t.Errorf("called\n%swant\n%s", calls, c.calls)
			}
			for _, file := range slices.Sorted(maps.Keys(c.files)) {
				if got := read(t, filepath.Join(root, file)); got != c.files[file] {
					t.Errorf("%s: %q", file, got)
				}
			}
			if _, err := os.Stat(filepath.Join(root, "usr/sbin/policy-rc.d")); err == nil {
				t.Error("policy-rc.d is left")
			}
		})
	}
}

// customizable makes a tree with busybox, customize.sh, and recorders.
func customizable(t *testing.T, release string, programs []string) (root string) {
	t.Helper()
	root = t.TempDir()
	output(t, exec.Command("sh", "-ec", `cd "$1"; mkdir -p bin dev usr/sbin usr/local/bin etc/sudoers.d; cp "$2" bin/busybox
		for applet in sh cat chmod id mkdir rm sed; do ln -s busybox bin/$applet; done
		echo root:x:0:0::/root:/bin/sh >etc/passwd`, "sh", root, which("busybox")))
	files := map[string]string{"dev/null": "", "customize.sh": read(t, "../scripts/customize.sh")}
	if release != "" {
		files["etc/os-release"] = release
	}
	for _, p := range programs {
		files["usr/local/bin/"+p] = recorder
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// filesOf lists the files of a tree.
func filesOf(t *testing.T, root string) (all []string) {
	t.Helper()
	return strings.Fields(output(t, exec.Command("find", root, "-not", "-path", "*/dev/null", "-printf", "%P:%s:%m\n")))
}
