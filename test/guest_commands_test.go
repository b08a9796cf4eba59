// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// usualPath is the PATH of a command whose image sets none, as docker run has it.
const usualPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"

// smallDisk is the size of most of these filesystems.
const smallDisk = "64M"

// Links that a first boot adds where an image names no hosts and no resolver.
var (
	hostsLink    = map[string]string{"etc/hosts": "/run/banger/hosts"}
	resolverLink = map[string]string{"etc/resolv.conf": "/run/banger/resolv.conf"}

	loginTree = map[string]string{"logins": "tree"} // what logins leave
)

// mountPoints are those that an image of one directory lacks.
var mountPoints = map[string]string{"dev": "dir", "proc": "dir", "sys": "dir", "run": "dir", "etc": "dir"}

// modulesMount is where the kernel's modules are mounted, below the directory that
// /lib is.
func modulesMount(t *testing.T, lib string) map[string]string {
	modules := lib + "/modules/"
	return map[string]string{lib: "dir", lib + "/modules": "dir", modules + strings.TrimPrefix(dependency(t, kernel612), "linux-image-"): "dir"}
}

// adds returns what a first boot adds.
func adds(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// scratch is nothing but a static program.
func (r *guestImages) scratch(t *testing.T, u user) {
	config := []string{"entrypoint=/app", "cmd=two words", "cmd=facts", "env=A=image", "workingdir=/made/here"}
	i := r.image(t, "scratch", "", config, layer(t, program("app", staticProgram(t))))
	u.try(t, trial{
		image: i, size: smallDisk, status: `runs /app 'two words' facts as root: the image's command`,
		shows: "0:0 [] /made/here\nA=image\nHOME=/root\nHOSTNAME=scratch\n" + usualPath + "TERM=linux\n",
		up:    "[/app two words facts]\n", ends: "asked\n",
		added: adds(mountPoints, hostsLink, resolverLink, map[string]string{"made": "dir", "made/here": "dir"}, loginTree, modulesMount(t, "lib")),
		login: &login{user: "4321", uid: 4321},
		again: []string{"scratch", "--", "/app", "two words", `"quoted" \ $HOME`}, exits: 42, says: "[/app two words \"quoted\" \\ $HOME]\n",
	})
	for command, code := range map[string]int{"/no": 127, "/proc/version": 126} {
		if o := patiently(t, u.command("banger", "boot", "scratch", "--", command)); o.code != code || !strings.Contains(o.stdout, command) {
			t.Errorf("%s: exit %d, want %d, %q", command, o.code, code, o.stdout)
		}
	}
}

// busybox has an init, as every busybox, and nothing for it to start.
func (r *guestImages) busybox(t *testing.T, u user) {
	i := r.image(t, "busybox", r.base(t, "base-busybox", busyboxLayer(t)), []string{"cmd=sh"})
	u.try(t, trial{
		image: i, size: smallDisk, status: "runs sh as root: the image's command; not /bin/init: busybox, to start /etc/init.d/rcS, which is not in the image",
		up: "# ", typed: "echo $(id -u) $((6*7)); exit 3\n", code: 3, ends: "\n0 42\n",
		added: adds(mountPoints, hostsLink, resolverLink, modulesMount(t, "lib")),
		again: []string{"--env", "END=200", "busybox", "--", "probe"}, exits: 200,
		says: "==> /bin/probe \n0:0 0\n/\nEND=200\nHOME=/root\nHOSTNAME=busybox\n" + usualPath + "TERM=linux\n/dev/null\n/dev/ttyS0\n/dev/ttyS0\n" + names("busybox") + upLine,
	})
}

// alpine has an inittab whose programs are not in the image. Its shell does not
// end when it is asked to.
func (r *guestImages) alpine(t *testing.T, u user) {
	i := r.image(t, "alpine", "", []string{"cmd=/bin/sh"}, alpineLayer(t))
	u.try(t, trial{
		image: i, size: smallDisk, status: "runs /bin/sh as uid 0, gid 0, groups 0 1: the image's command; not /sbin/init: busybox, to start /sbin/openrc, which is not in the image",
		up:    "# ",
		added: adds(resolverLink, modulesMount(t, "lib")),
		again: []string{"--user", "nobody", "alpine", "--", "true"}, exits: 125, says: "user \"nobody\": no matching entries in passwd file\n",
	})
}

// minbase is Debian, and a command for a user that it has.
func (r *guestImages) minbase(t *testing.T, u user) {
	base := r.base(t, "base-debian", bootstrap(t))
	i := r.image(t, "minbase", base, []string{"cmd=probe", "user=daemon:games"}, debLayer(t, "rsync", "libpopt0", "libssl3"),
		layer(t, program("usr/local/bin/probe", probeGuest), file("etc/resolv.conf", "")))
	facts := "1:60 60\n/\nHOME=/usr/sbin\nHOSTNAME=minbase\n" + usualPath + "TERM=linux\n" + onTerminal("minbase")
	u.try(t, trial{
		image: i, status: "runs probe as uid 1, gid 60: the image's command", shows: "==> /usr/local/bin/probe \n" + facts, ends: "==> asked\n",
		login: &login{user: "games", uid: 5, gid: 60, shell: true, rsync: true},
		added: adds(hostsLink, resolverLink, loginTree, modulesMount(t, "usr/lib")),
		again: []string{"--env", "END=7", "--env", "HOME=/x", "minbase"}, exits: 7,
		says: "==> /usr/local/bin/probe \n" + strings.Replace(facts, "HOME=/usr/sbin", "END=7\nHOME=/x", 1) + upLine,
	})
}

// s6 has an /init like that of s6-overlay: it wants to be process 1, and ends
// when its command does.
func (r *guestImages) s6(t *testing.T, u user) {
	config := []string{"entrypoint=/init", "cmd=probe", "cmd=two words"}
	i := r.image(t, "s6", r.base(t, "base-busybox", busyboxLayer(t)), config, layer(t, program("init", overlayInit), program("more", "#!/bin/sh\nreadlink /proc/1/exe\n")))
	facts := "0:0 0\n/\nHOME=/root\nHOSTNAME=s6\n" + usualPath + "PWD=/\nSHLVL=1\nTERM=linux\n" + onTerminal("s6") + "/bin/sh\n"
	u.try(t, trial{
		image: i, size: smallDisk, status: `runs /init probe 'two words' as root: the image's command`, shows: "==> /bin/probe two words\n" + facts, ends: "==> asked\ninit: exits with 5\n",
		added: adds(mountPoints, hostsLink, resolverLink, modulesMount(t, "lib")),
		again: []string{"--env", "END=9", "s6"}, exits: 9, says: "init: exits with 9\n",
	})
}

const overlayInit = `#!/bin/sh
[ $$ = 1 ] || { echo "init: can only run as process 1"; exit 100; }
exec 3<&0
"$@" <&3 &
trap 'kill $!' TERM
wait $!
code=$?
[ $code -le 128 ] || { wait $!; code=$?; } # it was interrupted
echo "init: exits with $code"
exit $code
`

// numeric has a command for a user that it has no name for.
func (r *guestImages) numeric(t *testing.T, u user) {
	config := []string{"entrypoint=probe", "user=1234:56", "env=A=image", "env=B=image", "workingdir=/work/deep"}
	i := r.image(t, "numeric", r.base(t, "base-busybox", busyboxLayer(t)), config)
	facts := "1234:56 56\n/work/deep\nA=image\nB=image\nHOME=/\nHOSTNAME=numeric\n" + usualPath + "TERM=linux\n" + onTerminal("numeric")
	u.try(t, trial{
		image: i, size: smallDisk, status: "runs probe as uid 1234, gid 56: the image's command", shows: "==> /bin/probe \n" + facts, ends: "==> asked\n",
		added: adds(mountPoints, hostsLink, resolverLink, map[string]string{"work": "dir", "work/deep": "dir"}, modulesMount(t, "lib")),
		again: []string{"--user", "4321", "--env", "B=machine", "numeric", "--", "sh", "-c", `echo $(id -u) $(id -g) $A $B; kill -9 $$`}, exits: 128 + 9,
		says: "4321 0 image machine\n",
	})
}

// odd has no accounts, a resolv.conf that leads nowhere, and a /sbin that is a
// symlink.
func (r *guestImages) odd(t *testing.T, u user) {
	odd := layer(t, directory("dev"), symlink("sbin", "bin"), symlink("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"))
	i := r.image(t, "odd", r.base(t, "base-busybox", busyboxLayer(t)), []string{"cmd=probe", "env=PATH=/sbin", "user=root"}, odd)
	facts := "0:0 0\n/\nHOME=/root\nHOSTNAME=odd\nPATH=/sbin\nTERM=linux\n" + onTerminal("odd")
	u.try(t, trial{
		image: i, size: smallDisk, status: "runs probe as root: the image's command", shows: "==> /sbin/probe \n" + facts, ends: "==> asked\n",
		added: adds(map[string]string{"proc": "dir", "run": "dir", "sys": "dir"}, hostsLink, modulesMount(t, "lib")),
		again: []string{"--user", "nobody", "odd"}, exits: 125, says: "user \"nobody\": no matching entries in passwd file\n",
	})
}

// many is an image of 70,000 files, half of them in one directory. The guest finds
// them all, reads some, and writes to the directory.
func (r *guestImages) many(t *testing.T, u user) {
	const half = 35_000
	var entries []entry
	for i := range half {
		for _, name := range []string{fmt.Sprintf("srv/wide/%05d-of-many", i), fmt.Sprintf("srv/deep/%03d/%02d", i/100, i%100)} {
			entries = append(entries, file(name, name+"\n").mtime(1_700_000_000, 0))
		}
	}
	count := program("more", "#!/bin/sh\nfind /srv | wc -l; cat /srv/wide/00000-of-many /srv/wide/34999-of-many /srv/deep/349/99\n")
	i := r.image(t, "many", r.base(t, "base-busybox", busyboxLayer(t)), []string{"cmd=probe"}, layer(t, append(entries, count)...))
	facts := "0:0 0\n/\nHOME=/root\nHOSTNAME=many\n" + usualPath + "TERM=linux\n" + onTerminal("many")
	found := "70353\nsrv/wide/00000-of-many\nsrv/wide/34999-of-many\nsrv/deep/349/99\n" // with 353 directories
	u.try(t, trial{
		image: i, status: "runs probe as root: the image's command", shows: "==> /bin/probe \n" + facts + found, ends: "==> asked\n",
		added: adds(mountPoints, hostsLink, resolverLink, modulesMount(t, "lib")),
		again: []string{"many", "--", "sh", "-c", "cd /srv/wide && rm 0* && touch new && ls | wc -l"}, says: "25001\n",
	})
}

// readOnly boots by hand, with ro in the place of rw. Nothing is added to the
// disk, not a byte.
func (r *guestImages) readOnly(t *testing.T, u user) {
	need(t, "cpio")
	dirs := layer(t, directory("dev"), directory("proc"), directory("run"), directory("sys"), directory("etc"), file("etc/resolv.conf", ""))
	i := r.image(t, "read-only", r.base(t, "base-busybox", busyboxLayer(t)), nil, dirs)
	master := u.publishLayout(t, i, smallDisk)
	script := output(t, u.command("banger", "boot", "--accel", "tcg", "--keep", "ro.disk", "--env", "END=7", "--print", "commands", "read-only", "--", "probe"))
	o := patiently(t, u.command("sh", "-ec", strings.Replace(script, " rw ", " ro ", 1)))
	for _, line := range []string{
		"banger-init: /etc/hosts: read-only file system\n", "banger-init: /etc/resolv.conf: read-only file system\n", "==> /bin/probe \n0:0 0\n", upLine,
	} {
		if shown := unixLines(o.stdout); !strings.Contains(shown, line) {
			t.Errorf("no %q on the console:\n%s%s", line, shown, o.stderr)
		}
	}
	want := "STATUS=runs probe as root: the command given; no SSH: no keys in the initrd\nREADY=1\nEXIT_STATUS=7\n"
	if lines := read(t, filepath.Join(u.home, "banger-read-only/status")); lines != want {
		t.Errorf("status lines %q, want %q", lines, want)
	}
	if got, want := hash(t, filepath.Join(u.home, "ro.disk")), hash(t, master); got != want {
		t.Error("the disk was written to")
	}
}
