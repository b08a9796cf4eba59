// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"debug/elf"
	"strings"
	"testing"

	"banger/lib/status"
)

// What images of several kinds hold, over what is good.
var (
	bare     = map[string]string{"sbin/init": "-"}
	busybox  = map[string]string{"bin/busybox": runs, "bin/sh": "->busybox", "sbin/init": "->../bin/busybox"}
	accounts = map[string]string{
		"etc/passwd": "data:root:x:0:0:root:/root:/bin/sh\nweb:x:101:101::/srv:/bin/false\n", "etc/group": "data:root:x:0:\nweb:x:101:\nlog:x:7:web\n",
		"etc/shadow": "data:root:*:1::::::\nweb:!:1::::::\n",
	}
	systemd = map[string]string{
		"usr/lib/systemd/systemd": runs, "sbin/init": "->../usr/lib/systemd/systemd", "usr/lib/systemd/system/serial-getty@.service": "data:x",
		"usr/lib/systemd/systemd-udevd": "->../../bin/udevadm", "usr/bin/udevadm": runs,
	}
	selinux = map[string]string{"etc/selinux/config": "data:# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"}
)

// selinuxKernel is the configuration of a kernel that uses SELinux.
const selinuxKernel = full + "CONFIG_SECURITY_SELINUX=y\nCONFIG_SECURITY_SELINUX_BOOTPARAM=y\nCONFIG_LSM=\"lockdown,yama,selinux,apparmor\"\n"

func config(members string) map[string]string {
	return map[string]string{"config.json:": `{"architecture":"amd64","os":"linux","config":{` + members + `}}`}
}

// TestRuns checks what an image is said to run, and what may keep it from running.
func TestRuns(t *testing.T) {
	const (
		image   = ": the image's command"
		nowhere = "warning init: systemd without udev: it waits 90 s for dev-ttyS0.device and offers no login on the serial console"
		locked  = "warning init: nobody can log in on the serial console: root is locked in /etc/shadow"
		labels  = "warning init: SELinux is enforcing in the image, and /sbin/init has no label"
		openrc  = "warning init: not a working init: /sbin/init: busybox, to start /sbin/openrc, which is not in the image"
	)
	for _, c := range []struct {
		name string
		over []map[string]string // over what is good
		boot map[string]string
		runs string
		want string
	}{
		{"an init", nil, nil, "/sbin/init: the image's init", ""},
		{"nginx", []map[string]string{bare, accounts, {"usr/sbin/nginx": runs}, config(`"User":"web","Entrypoint":["/usr/sbin/nginx"],"Cmd":["-g","daemon off;"]`)}, nil,
			"/usr/sbin/nginx -g 'daemon off;' as uid 101, gid 101, groups 7" + image, ""},
		{"a command beside an init", []map[string]string{{"app": runs}, config(`"Cmd":["/app"]`)}, nil, "/app as root" + image, ""},
		{"a bare shell beside an init", []map[string]string{config(`"Cmd":["/bin/sh"]`)}, nil, "/sbin/init: the image's init", ""},
		{"an init for a command", []map[string]string{systemd, config(`"Cmd":["systemd"],"Env":["PATH=/usr/lib/systemd"]`)}, nil,
			"systemd: the image's command, an init", "warning init: nobody can log in on the serial console: /etc/passwd has no root"},
		{"a shell", []map[string]string{bare}, nil, "/bin/sh -i as root: no init and no command: a shell", ""},
		{"nothing", []map[string]string{bare, {"bin/sh": "-"}}, nil, "nothing: no init, no command and no shell: idle", "warning init: the image has nothing to run: the machine idles"},
		{"an init that dangles", []map[string]string{{"sbin/init": "->/none"}}, nil, "/bin/sh -i as root: no init and no command: a shell", ""},
		{"an init that leads to itself", []map[string]string{{"sbin/init": "->init"}}, nil, "/bin/sh -i as root: no init and no command: a shell", ""},
		{"an init that is not executable", []map[string]string{{"sbin/init": "data:x"}}, nil, "/bin/sh -i as root: no init and no command: a shell",
			"warning init: not a working init: /sbin/init: not executable"},
		{"an init that is a directory", []map[string]string{bare, {"sbin/init/": ""}}, nil, "/bin/sh -i as root: no init and no command: a shell",
			"warning init: not a working init: /sbin/init: not executable"},

		{"busybox", []map[string]string{busybox, config(`"Cmd":["sh"]`)}, nil, "sh as root" + image,
			"warning init: not a working init: /sbin/init: busybox, to start /etc/init.d/rcS, which is not in the image"},
		{"Alpine", []map[string]string{busybox, {"etc/inittab": "data:::sysinit:/sbin/openrc sysinit\n"}, config(`"Cmd":["/bin/sh"]`)}, nil, "/bin/sh as root" + image, openrc},
		{"Alpine with OpenRC", []map[string]string{busybox, accounts, {"sbin/openrc": runs, "sbin/getty": "->../bin/busybox",
			"etc/inittab": "data:::sysinit:/sbin/openrc sysinit\n#ttyS0::respawn:/sbin/getty -L 0 ttyS0\n"}}, nil, "/sbin/init: the image's init", ""},
		{"with a getty", []map[string]string{busybox, accounts, {"sbin/openrc": runs, "sbin/getty": "->../bin/busybox",
			"etc/inittab": "data:::sysinit:/sbin/openrc sysinit\nttyS0::respawn:/sbin/getty -L 0 ttyS0\n"}}, nil, "/sbin/init: the image's init", locked},

		{"no such user", []map[string]string{bare, accounts, config(`"Cmd":["/bin/sh","-c","x"],"User":"a ghost"`)}, nil, "/bin/sh -c x as user 'a ghost'" + image,
			`warning init: user "a ghost": no matching entries in passwd file: the command ends with status 125`},
		{"no such group", []map[string]string{bare, accounts, config(`"Cmd":["/bin/sh","-c","x"],"User":"0:ghosts"`)}, nil, "/bin/sh -c x as user 0:ghosts" + image,
			`warning init: user "0:ghosts": no matching entries in group file: the command ends with status 125`},
		{"a directory to make", []map[string]string{bare, config(`"Cmd":["sh"],"WorkingDir":"/srv/app/data"`)}, nil, "sh as root" + image, ""},
		{"a directory in a file", []map[string]string{bare, {"srv": "data:x"}, config(`"Cmd":["sh"],"WorkingDir":"/srv/app/data"`)}, nil, "sh as root" + image,
			"warning init: working directory: /srv is not a directory: the command ends with status 125"},
		{"a directory that is a file", []map[string]string{bare, {"srv": "data:x"}, config(`"Cmd":["sh"],"WorkingDir":"srv"`)}, nil, "sh as root" + image,
			"warning init: working directory: /srv is not a directory"},
		{"a directory by a symlink", []map[string]string{bare, {"srv": "->/none"}, config(`"Cmd":["sh"],"WorkingDir":"/srv/app"`)}, nil, "sh as root" + image,
			"warning init: working directory: /srv is a symlink to nothing"},
		{"a directory of too long a name", []map[string]string{bare, config(`"Cmd":["sh"],"WorkingDir":"` + strings.Repeat("/x", 2048) + `"`)}, nil, "sh as root" + image,
			"warning init: working directory: 4096 bytes are too long for a path"},
		{"no such command", []map[string]string{bare, config(`"Cmd":["/no such"]`)}, nil, "'/no such' as root" + image,
			"warning init: '/no such': not found in the image: the command ends with status 127"},
		{"not in PATH", []map[string]string{bare, {"app": runs}, config(`"Cmd":["app"]`)}, nil, "app as root" + image, "warning init: app: not found in the image"},
		{"in another PATH", []map[string]string{bare, {"opt/app": runs}, config(`"Cmd":["app"],"Env":["PATH=/bin:/opt"]`)}, nil, "app as root" + image, ""},
		{"in the directory", []map[string]string{bare, {"opt/app": runs}, config(`"Cmd":["./app"],"WorkingDir":"/opt"`)}, nil, "./app as root" + image, ""},
		{"a command that is not executable", []map[string]string{bare, {"app": "data:x"}, config(`"Cmd":["/app"]`)}, nil, "/app as root" + image,
			"warning init: /app: cannot be executed: the command ends with status 126"},
		{"a command without its interpreter", []map[string]string{bare, {"app": "#!/usr/bin/perl\n"}, config(`"Cmd":["/app"]`)}, nil, "/app as root" + image,
			"warning init: /usr/bin/perl is not in the image: the command ends with status 126"},
		{"a command for another processor", []map[string]string{bare, {"app": elfOf(elf.EM_AARCH64, "", false, "")}, config(`"Cmd":["/app"]`)}, nil, "/app as root" + image,
			"error arch: /app is for arm64"},

		{"systemd", []map[string]string{systemd, accounts}, nil, "/sbin/init: the image's init", locked},
		{"systemd without udev", []map[string]string{systemd, accounts, {"usr/lib/systemd/systemd-udevd": "-"}}, nil, "/sbin/init: the image's init", nowhere},
		{"systemd with a login of its own", []map[string]string{systemd, accounts, {"usr/lib/systemd/systemd-udevd": "-",
			"etc/systemd/system/serial-getty@ttyS0.service": "->/dev/null"}}, nil, "/sbin/init: the image's init", ""},
		{"a password", []map[string]string{systemd, accounts, {"etc/shadow": "data:root:$y$j9T$x$x:1::::::\n"}}, nil, "/sbin/init: the image's init", ""},
		{"another's password", []map[string]string{systemd, accounts, {"etc/shadow": "data:root:!:1::::::\nweb:$6$x$x:1::::::\n"}}, nil, "/sbin/init: the image's init", ""},
		{"no password asked for", []map[string]string{systemd, {"etc/passwd": "data:root::0:0::/root:/bin/sh\n"}}, nil, "/sbin/init: the image's init", ""},
		{"no shadow", []map[string]string{systemd, accounts, {"etc/shadow": "-"}}, nil, "/sbin/init: the image's init",
			"warning init: nobody can log in on the serial console: /etc/shadow has no root"},
		{"locked in passwd", []map[string]string{systemd, {"etc/passwd": "data:root:*:0:0::/root:/bin/sh\n"}}, nil, "/sbin/init: the image's init",
			"warning init: nobody can log in on the serial console: root is locked in /etc/passwd"},

		{"SELinux", []map[string]string{selinux}, map[string]string{"vmlinux.config": selinuxKernel}, "/sbin/init: the image's init", labels},
		{"SELinux in a kernel without", []map[string]string{selinux}, nil, "/sbin/init: the image's init", ""},
		{"SELinux after another", []map[string]string{selinux}, map[string]string{"vmlinux.config": full + "CONFIG_SECURITY_SELINUX=y\nCONFIG_SECURITY_APPARMOR=y\nCONFIG_LSM=\"yama,apparmor,selinux\"\n"}, "/sbin/init: the image's init", ""},
		{"SELinux in an old kernel", []map[string]string{selinux}, map[string]string{"vmlinux.config": full + "CONFIG_SECURITY_SELINUX=y\nCONFIG_DEFAULT_SECURITY_SELINUX=y\n"}, "/sbin/init: the image's init", labels},
		{"SELinux with labels", []map[string]string{selinux, {"label:sbin/init": ""}}, map[string]string{"vmlinux.config": selinuxKernel}, "/sbin/init: the image's init", ""},
		{"SELinux permissive", []map[string]string{{"etc/selinux/config": "data:SELINUX=permissive\n#SELINUX=enforcing\n"}},
			map[string]string{"vmlinux.config": selinuxKernel}, "/sbin/init: the image's init", ""},
		{"SELinux and a command", []map[string]string{bare, selinux}, map[string]string{"vmlinux.config": selinuxKernel}, "/bin/sh -i as root: no init and no command: a shell", ""},

		{"no ramdisk", []map[string]string{{"app": runs}, config(`"Cmd":["/app"]`)}, map[string]string{"vmlinux.config": without("BLK_DEV_INITRD")},
			"/sbin/init: started by the kernel, which supports no initial ramdisk", "warning kernel: no initial ramdisk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, boot := good()
			for _, more := range c.over {
				over(image, more)
			}
			over(boot, c.boot)
			if got := compare(t, published(t, image, boot), c.want); len(got) != 1 || got[0] != c.runs {
				t.Errorf("runs %q, want %q", got, c.runs)
			}
		})
	}
}

// TestRemedies checks what to do about some of the findings.
func TestRemedies(t *testing.T) {
	for _, c := range []struct {
		name string
		over []map[string]string
		boot map[string]string
		want string
	}{
		{"nothing to run", []map[string]string{bare, {"bin/sh": "-"}}, nil, "banger boot x -- PROGRAM"},
		{"no such user", []map[string]string{bare, config(`"Cmd":["/bin/sh"],"User":"ghost"`)}, nil, "banger boot --user root x"},
		{"no such command", []map[string]string{bare, config(`"Cmd":["/no"]`)}, nil, "banger boot x -- PROGRAM"},
		{"no such command, and no kernel", []map[string]string{bare, config(`"Cmd":["/no"]`)}, map[string]string{"vmlinux": "-"},
			`banger kernel debian debian && banger register -f --name x --kernel-ref debian "$(banger image path x)"/rootfs.ext4`},
		{"locked", []map[string]string{systemd, accounts}, nil, "give root a password in the image, or run a command: banger boot x -- CMD"},
		{"locked, and no ramdisk", []map[string]string{systemd, accounts}, map[string]string{"vmlinux.config": without("BLK_DEV_INITRD")}, "give root a password in the image"},
		{"SELinux", []map[string]string{selinux}, map[string]string{"vmlinux.config": selinuxKernel},
			"add selinux=0 to the kernel's command line, or set SELINUX=disabled in the image's /etc/selinux/config"},
		{"SELinux in a kernel without the parameter", []map[string]string{selinux}, map[string]string{"vmlinux.config": strings.Replace(selinuxKernel, "BOOTPARAM=y", "BOOTPARAM=n", 1)},
			"set SELINUX=disabled in the image's /etc/selinux/config"},
	} {
		image, boot := good()
		for _, more := range c.over {
			over(image, more)
		}
		if over(boot, c.boot); boot["vmlinux"] == "" {
			boot = nil
		}
		findings, err := Check(t.Context(), published(t, image, boot))
		if err != nil || len(findings) == 0 || findings[len(findings)-1].Remedy != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.name, findings, err, c.want)
		}
	}
}

// A config that makes the search for a command endless is refused.
func TestHostile(t *testing.T) {
	image, boot := good()
	over(image, config(`"Cmd":["x"],"Env":["PATH=`+strings.Repeat("a:", 1<<20)+`"]`))
	if findings, err := Check(t.Context(), published(t, image, boot)); status.Of(err) != status.Bad {
		t.Errorf("%+v, %v", findings, err)
	}
}
