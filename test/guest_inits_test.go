// SPDX-License-Identifier: Apache-2.0

package test

import (
	"testing"
)

// busyboxInit has an inittab, and what that starts.
func (r *guestImages) busyboxInit(t *testing.T, u user) {
	config := layer(t, file("etc/inittab", "::sysinit:/etc/rc\n::ctrlaltdel:/bin/reboot\n::shutdown:/bin/umount -a -r\n"), program("etc/rc", `#!/bin/sh
echo "==> $(cat /proc/1/comm) $*"
[ ! -e /again ] || poweroff
touch /again
echo "==> up"
`))
	i := r.image(t, "busybox-init", r.base(t, "base-busybox", busyboxLayer(t)), []string{"cmd=sh"}, config)
	u.try(t, trial{
		image: i, size: smallDisk, status: "runs /bin/init: the image's init", shows: "==> init \n", ends: "The system is going down NOW!\n",
		again: []string{"busybox-init"},
	})
}

// sysvinit has an inittab of few words: Debian's starts many scripts, which takes
// an emulated processor minutes.
func (r *guestImages) sysvinit(t *testing.T, u user) {
	config := layer(t, file("etc/inittab", `id:2:initdefault:
l2:2:wait:/etc/rc.2
l0:0:wait:/etc/rc.down halt -d -f -p
l6:6:wait:/etc/rc.down reboot -d -f
ca:2:ctrlaltdel:/sbin/shutdown -r now
`), program("etc/rc.2", `#!/bin/sh
echo "==> $(cat /proc/1/comm) in runlevel $(runlevel)"
[ ! -e /again ] || exec poweroff
touch /again
echo "==> up"
`), program("etc/rc.down", `#!/bin/sh
echo "==> down"
mount -o remount,ro /
exec "$@"
`))
	i := r.image(t, "sysvinit", r.base(t, "base-debian", bootstrap(t)), []string{"cmd=bash"}, debLayer(t, "sysvinit-core", "sysvinit-utils"), config)
	u.try(t, trial{
		image: i, status: "runs /sbin/init: the image's init", shows: "==> init in runlevel N 2\n", ends: "==> down\n",
		again: []string{"sysvinit"},
	})
}

// openrc has OpenRC's own init for a command.
func (r *guestImages) openrc(t *testing.T, u user) {
	config := layer(t, program("etc/init.d/probe", `#!/sbin/openrc-run
start() {
	echo "==> $(cat /proc/1/comm) in runlevel $(rc-status -r)" >/dev/console
	[ ! -e /again ] || openrc-shutdown -p now
	touch /again
	echo "==> up" >/dev/console
}
`), program("etc/init.d/mount-ro", `#!/sbin/openrc-run
start() {
	echo "==> down" >/dev/console
	mount -o remount,ro /
}
`), symlink("etc/runlevels/default/probe", "/etc/init.d/probe"), symlink("etc/runlevels/shutdown/mount-ro", "/etc/init.d/mount-ro"))
	i := r.image(t, "openrc", r.base(t, "base-debian", bootstrap(t)), []string{"entrypoint=/sbin/openrc-init"}, debLayer(t, "openrc", "librc1", "libeinfo1"), config)
	u.try(t, trial{
		image: i, status: "runs /sbin/openrc-init: the image's command, an init", shows: "==> openrc-init in runlevel default\n", ends: "==> down\n",
		again: []string{"openrc"},
	})
}

// runit has the stages of Debian's package, and the links that it and runit-init
// make when they are installed. Ctrl-Alt-Del has it wait for 14 seconds.
func (r *guestImages) runit(t *testing.T, u user) {
	config := layer(t, symlink("sbin/init", "/lib/runit/runit-init"), symlink("sbin/poweroff", "/lib/runit/shutdown"),
		symlink("etc/runit/runsvdir/current", "default"), symlink("etc/service", "/etc/runit/runsvdir/current"),
		program("etc/runit/runsvdir/default/probe/run", `#!/bin/sh
echo "==> $(cat /proc/1/comm) and $(cat /proc/$PPID/comm)" >/dev/console
[ ! -e /again ] || poweroff
touch /again
echo "==> up" >/dev/console
exec sleep 3600
`), program("etc/rc0.d/K01mount-ro", `#!/bin/sh
echo "==> down" >/dev/console
mount -o remount,ro /
`), symlink("etc/rc6.d/K01mount-ro", "../rc0.d/K01mount-ro"))
	i := r.image(t, "runit", r.base(t, "base-debian", bootstrap(t)), []string{"cmd=bash"}, debLayer(t, "runit", "runit-helper", "sysuser-helper"), config)
	u.try(t, trial{
		image: i, status: "runs /sbin/init: the image's init", shows: "==> runit and runsv\n", ends: "==> down\n",
		again: []string{"runit"},
	})
}

// systemdProbe is a service that shows the state of systemd, and at the second
// boot powers the machine off.
const systemdProbe = `[Service]
ExecStart=/bin/sh -c 'echo "==> $$(cat /proc/1/comm) is $$(systemctl is-system-running --wait), sshd-vsock.socket is $$(systemctl show -P LoadState sshd-vsock.socket)"; \
	[ ! -e /again ] || exec systemctl poweroff; touch /again; echo "==> up"; exec sleep 3600'
StandardOutput=file:/dev/console
[Install]
WantedBy=multi-user.target
`

// systemdLayer has the service. There is no udev, which would tell systemd of
// the console: a login there would be waited for.
func systemdLayer(t *testing.T, more ...entry) string {
	t.Helper()
	return layer(t, append(more, file("etc/systemd/system/probe.service", systemdProbe),
		symlink("etc/systemd/system/multi-user.target.wants/probe.service", "../probe.service"),
		symlink("etc/systemd/system/serial-getty@ttyS0.service", "/dev/null"))...)
}

// systemd252 is Debian 12 with systemd.
func (r *guestImages) systemd252(t *testing.T, u user) {
	i := r.image(t, "systemd-252", "", nil, bootstrapWith(t, "systemd-sysv"), systemdLayer(t))
	u.systemd(t, trial{image: i, status: "runs /sbin/init: the image's init", shows: "==> systemd is running, ",
		login: &login{user: "daemon", uid: 1, gid: 1, shell: true}})
}

// systemd257 is Debian 13 with systemd and an sshd, for which systemd would take
// the agent's port (systemd-ssh-generator(8)).
func (r *guestImages) systemd257(t *testing.T, u user) {
	i := r.image(t, "systemd-257", "", []string{"cmd=/sbin/init"}, trixie(t), systemdLayer(t, program("usr/sbin/sshd", "#!/bin/sh\n")))
	u.systemd(t, trial{
		image: i, status: "runs /sbin/init: the image's command, an init", shows: "==> systemd is running, sshd-vsock.socket is masked\n",
	})
}

func (u user) systemd(t *testing.T, c trial) {
	t.Helper()
	c.ends, c.again = "reboot: Restarting system\n", []string{c.image.tag}
	u.try(t, c)
}

// trixie returns an archive of what systemd needs of Debian 13, its packages
// unpacked and not configured.
func trixie(t *testing.T) string {
	t.Helper()
	need(t, "mmdebstrap")
	var from []string
	if mirror := mirror(); mirror != "" {
		from = []string{mirror}
	}
	path, err := mmdebstrap("trixie", from, "--variant=extract", "--include=systemd-sysv,libkmod2,mount,coreutils,dash,base-files,base-passwd,login",
		`--extract-hook=cd "$1" && cp usr/share/base-passwd/passwd.master etc/passwd && cp usr/share/base-passwd/group.master etc/group && ldconfig -r . && touch etc/.updated var/.updated`)
	skipOnError(t, err)
	return path
}
