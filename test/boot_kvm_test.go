// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// States of /dev/kvm: missing, not accessible to the user, and accessible but
// not KVM. The fake QEMU does not open it.
const (
	missing    = ""
	unreadable = "mknod -m 600 /dev/kvm c 1 3"
	present    = "mknod -m 666 /dev/kvm c 1 3" // as /dev/null
)

// fakeQEMU is a QEMU that works with TCG: it compares its disk with the
// published one. The test prepends functions for what KVM does.
const fakeQEMU = `echo "$*" >>$HOME/calls
case "$*" in
--version) exit ;;
*isa-debug-exit*) probe ;; # in a second, also on a busy machine
esac
value() { printf %s "$*" | sed -n "s/.*$key\([^ ,]*\).*/\1/p"; }
all="$*" disk=${all#*,file=} disk=${disk%%[ ,]*}
key=id=status,path= status=$(value "$@")
prints() { echo "$1"; }
ends() { echo "EXIT_STATUS=$1" >"$status"; exit; }
stops() {
	printf '%s\n' "$1" 'emulation failure' 'RAX=0000000000000000 RBX=0000000000000001' >&2
	exec sleep 600
}
case "$*" in
*'-accel kvm'*) machine "$@" ;;
*) cmp "$disk" $HOME/.local/state/banger/images/app/rootfs.ext4 && prints emulated && ends 42 ;;
esac
`

// stopped is QEMU's message before it stops a machine without exiting.
const stopped = "KVM internal error. Suberror: 1"

// kvmCases boot an image whose command exits with 42.
var kvmCases = []struct {
	name     string
	dev      string // commands that create /dev/kvm
	probe    string // what the fake QEMU does when probed
	machine  string // what it does for the image, with KVM
	flags    string
	code     int
	stdout   string
	stderr   string // regular expression of whole lines
	attempts string // accelerators tried, "probe" first
}{
	{"missing", missing, "", "", "", 42, "emulated\n", `banger-boot: /dev/kvm: no such file: emulating the processor, which is slow\nhint: .*modprobe.*`, "tcg"},
	{"unreadable", unreadable, "", "", "", 42, "emulated\n", `banger-boot: /dev/kvm: permission denied: emulating the processor, which is slow\nhint: .*setfacl -m u:54321:rw /dev/kvm`, "tcg"},
	{"group", unreadable + "; chgrp daemon /dev/kvm; chmod 660 /dev/kvm", "", "", "", 42, "emulated\n", `banger-boot: /dev/kvm: permission denied: emulating the processor, which is slow\nhint: .*usermod -aG daemon 54321, then log in again`, "tcg"},
	{"works", present, "exit 43", "prints accelerated; ends 42", "", 42, "accelerated\n", "", "probe kvm"},
	{"hangs", present, "exec sleep 600", "", "", 42, "emulated\n", `banger-boot: /dev/kvm: cannot run a guest: emulating the processor, which is slow\nhint: .*`, "probe tcg"},
	{"ends", present, "exit 0", "", "", 42, "emulated\n", `banger-boot: /dev/kvm: cannot run a guest: emulating the processor, which is slow\nhint: .*`, "probe tcg"},
	{"stops", present, "exit 43", "echo written >>$disk; stops '" + stopped + "'", "", 42, "emulated\n", `banger-boot: KVM stopped the machine before .*\nhint: --accel tcg .*`, "probe kvm tcg"},
	{"run failed", present, "exit 43", "stops 'error: kvm run failed Bad address'", "", 42, "emulated\n", `RAX=0000000000000000 RBX=0000000000000001`, "probe kvm tcg"},
	{"entry failed", present, "exit 43", "stops 'KVM: entry failed, hardware error 0x80000021'", "", 42, "emulated\n", `KVM: entry failed, hardware error 0x80000021`, "probe kvm tcg"},
	{"printed", present, "exit 43", "printf '\\0'; stops '" + stopped + "'", "", 1, "\x00", `hint: --accel tcg .*`, "probe kvm"},
	{"ended", present, "exit 43", "echo EXIT_STATUS=0 >$status; stops '" + stopped + "'", "", 1, "", `hint: --accel tcg .*`, "probe kvm"},
	{"kept", present, "exit 43", "stops '" + stopped + "'", "--keep disk", 1, "", `hint: --accel tcg .*`, "probe kvm"},
	{"kvm", present, "exit 1", "prints accelerated; ends 42", "--accel kvm", 42, "accelerated\n", "", "kvm"},
	{"kvm stops", present, "", "stops '" + stopped + "'", "--accel=kvm", 1, "", `banger-boot: KVM stopped the machine`, "kvm"},
	{"kvm missing", missing, "", "", "--accel kvm", 66, "", `hint: .*modprobe.*`, ""},
	{"kvm unreadable", unreadable, "", "", "--accel kvm", 77, "", `banger-boot: /dev/kvm: permission denied`, ""},
	{"tcg", present, "", "", "--accel tcg", 42, "emulated\n", "", "tcg"},
	{"tcg missing", missing, "", "", "--accel tcg", 42, "emulated\n", "", "tcg"},
	{"nonsense", present, "", "", "--accel xen", 64, "", `banger-boot: --accel xen: not kvm or tcg`, ""},
	{"nothing to run", present, "", "", "--accel tcg --keep disk --print firecracker", 64, "", `banger-boot: --accel .*`, ""},
}

// TestBootKVM boots with a KVM that is missing, forbidden, or broken in every
// known way. No boot hangs, and none is retried after the guest has run.
func TestBootKVM(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "setpriv", "script", "qemu-system-x86_64")
	needRoot(t)
	u := newUser(t, nobody)
	u.bootable(t, "app")
	for _, c := range kvmCases {
		t.Run(c.name, func(t *testing.T) {
			o := finish(t, u.onKVM(t, u.command("banger", bootArgs(c.flags)...), c.dev, c.probe, c.machine))
			if o.code != c.code || o.stdout != c.stdout {
				t.Errorf("exit %d, want %d; %q, want %q", o.code, c.code, o.stdout, c.stdout)
			}
			if !regexp.MustCompile("(?m)^"+c.stderr+"$").MatchString(o.stderr) && c.stderr != "" {
				t.Errorf("no lines %q", c.stderr)
			}
			if strings.Contains(o.stderr, "Killed") || strings.Contains(o.stderr, "Terminated") {
				t.Error("the shell reports a killed process")
			}
			if n := strings.Count(o.stderr, "/dev/kvm:"); n > 1 || n > 0 && c.stderr == "" {
				t.Errorf("%d lines about /dev/kvm", n)
			}
			u.tried(t, o, c.attempts)
		})
	}
	t.Run("streams", func(t *testing.T) { u.kvmStreams(t) })
	t.Run("none", func(t *testing.T) { u.noKVM(t) })
}

// bootArgs returns the arguments of banger that boot the image.
func bootArgs(flags string) []string {
	return append(append([]string{"boot"}, strings.Fields(flags)...), "app", "--", "/app")
}

// kvmStreams checks that a KVM that stops, and a sign of life before it, is
// noticed wherever the streams go.
func (u user) kvmStreams(t *testing.T) {
	terminal := func(command string) string {
		return "{ script --quiet --return --command '" + command + " 2>/dev/null' /dev/null; echo $?; } | tail -n 2"
	}
	const silent = "stops '" + stopped + "'"
	// Runs the guest on the real QEMU, then reports that KVM stopped it.
	bootThenStop := `for word; do shift
	case $word in kvm) word=tcg ;; host) word=max ;; esac
	set -- "$@" "$word"
done
` + which("qemu-system-x86_64") + ` "$@" -icount shift=3 <&0 >/dev/null
` + silent
	for _, c := range []struct{ script, machine, stdout, attempts string }{
		{"banger boot app -- /app <&- 2>&-; echo $?", silent, "emulated\n42\n", "probe kvm tcg"},
		{"banger boot app -- /app 2>/dev/full; echo $?", silent, "emulated\n42\n", "probe kvm tcg"},
		{"banger boot app -- /app >/dev/full; echo $?", "prints x; " + silent, "73\n", "probe kvm"},
		{terminal("banger boot app -- /app"), silent, "emulated\r\n42\n", "probe kvm tcg"},
		{terminal("banger boot app -- /app"), "prints x; " + silent, "x\r\n1\n", "probe kvm"},
		{terminal("banger boot app -- /app"), bootThenStop, "1\n", "probe kvm"},
		{terminal("banger boot app -- /app"), "exit 9", "1\n", "probe kvm"},
	} {
		o := finish(t, u.onKVM(t, u.command("sh", "-c", c.script), present, "exit 43", c.machine))
		if o.stdout != c.stdout {
			t.Errorf("%s\n%s: %q, want %q", c.script, c.machine, o.stdout, c.stdout)
		}
		u.tried(t, o, c.attempts)
	}
}

// noKVM lets the real QEMU find that /dev/kvm is not KVM. The image boots
// anyway, unless KVM was asked for.
func (u user) noKVM(t *testing.T) {
	for flags, code := range map[string]int{"": 42, "--accel kvm": 1} {
		o := finish(t, u.inDev(t, u.command("banger", bootArgs(flags)...), present))
		if o.code != code || strings.Contains(o.stderr, "/dev/kvm: cannot run a guest: emulating") != (flags == "") {
			t.Errorf("%s: exit %d, want %d; %s", flags, o.code, code, o.stderr)
		}
		noLeftovers(t, u)
	}
}

// onKVM makes a command find the fake QEMU and a /dev/kvm.
func (u user) onKVM(t *testing.T, cmd *exec.Cmd, dev, probe, machine string) *exec.Cmd {
	t.Helper()
	os.Remove(filepath.Join(u.home, "calls"))
	os.Remove(filepath.Join(u.home, "disk"))
	for _, body := range []*string{&probe, &machine} {
		if *body == "" {
			*body = "exit 99"
		}
	}
	script := "probe() { " + probe + "\n}\nmachine() { " + machine + "\n}\n" + fakeQEMU
	return u.inDev(t, u.withProgram(t, cmd, "qemu-system-x86_64", script), dev)
}

// inDev runs a command in a mount namespace with its own /dev, extended by the
// shell commands given.
func (u user) inDev(t *testing.T, cmd *exec.Cmd, commands string) *exec.Cmd {
	t.Helper()
	script := `mount -t tmpfs -o mode=755 dev /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/tty c 5 0
mkdir /dev/pts
mount -t devpts -o newinstance,ptmxmode=666 pts /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
` + commands + `
exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"`
	id := strconv.Itoa(int(u.id))
	in := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", script, id}, cmd.Args...)...)
	in.Dir, in.Env = cmd.Dir, cmd.Env
	return in
}

// tried compares the accelerators that the fake QEMU was called with, and logs
// stderr if the test has failed.
func (u user) tried(t *testing.T, o outcome, want string) {
	t.Helper()
	calls, err := os.ReadFile(filepath.Join(u.home, "calls"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var tried []string
	for call := range strings.Lines(string(calls)) {
		switch {
		case strings.Contains(call, "isa-debug-exit"):
			tried = append(tried, "probe")
		case strings.Contains(call, "-accel kvm -cpu host "):
			tried = append(tried, "kvm")
		case strings.Contains(call, "-accel tcg "):
			tried = append(tried, "tcg")
		}
	}
	if got := strings.Join(tried, " "); got != want {
		t.Errorf("tried %q, want %q", got, want)
	}
	if t.Failed() {
		t.Log(o.stderr)
	}
	noLeftovers(t, u)
}
