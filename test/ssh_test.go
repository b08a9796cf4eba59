// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// known is a user id that every system has in passwd(5): ssh refuses others.
const known = 65534

// busyboxTree makes a root filesystem of the host's busybox, with a user, below
// the user's home, and returns its directory.
func (u user) busyboxTree(t testing.TB, name string) string {
	t.Helper()
	root := filepath.Join(u.home, name)
	output(t, u.command("sh", "-ec", `
		mkdir -p "$1/bin" "$1/etc" "$1/root" "$1/srv" "$1/tmp" && cd "$1"
		cp "$2" bin/busybox
		for applet in $(busybox --list); do
			[ -e "bin/$applet" ] || ln -s busybox "bin/$applet"
		done
		printf 'root:x:0:0::/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n' >etc/passwd
		printf 'root:x:0:\nweb:x:102:\nlog:x:7:web\n' >etc/group`, "sh", root, which("busybox")))
	return root
}

// publishTree publishes a tree with the kernel k.
func (u user) publishTree(t testing.TB, root, name string) {
	t.Helper()
	output(t, u.command("sh", "-ec", `banger-mkext4 --size 64M -o "$1.ext4" "$1" && banger-register --name "$2" --kernel-ref k "$1.ext4"`, "sh", root, name))
}

// machineFile returns the path of a file of a machine.
func (u user) machineFile(machine, name string) string {
	return filepath.Join(u.home, ".local/state/banger/machines", machine, name)
}

// background starts a machine, and ends all of the user's after the test.
func (u user) background(t testing.TB, args ...string) {
	t.Helper()
	t.Cleanup(func() {
		u.command("sh", "-c", "banger machine list --json | jq -r .name | xargs -r banger machine stop").Run()
	})
	output(t, u.command("banger", append([]string{"boot", "-q", "-d"}, args...)...))
}

// TestSSH logs in to a machine without a network of its own, by OpenSSH.
func TestSSH(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "busybox", "ssh", "scp", "sftp", "curl", "jq")
	u := newUser(t, known)
	u.addKernel(t, "k", kernel61)
	atMost(t, filepath.Join(u.home, ".local/state/banger/kernels/k/initrd.img"), 12<<20)
	root := u.busyboxTree(t, "bb")
	build := exec.Command("go", "build", "-o", filepath.Join(root, "bin/vsock"), "./vsock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	output(t, build)
	u.publishTree(t, root, "bb")

	if o := finish(t, u.command("banger", "ssh", "bb")); o.code != 66 || !strings.Contains(o.stderr, "bb: no such machine\nhint: banger boot bb\n") {
		t.Errorf("no machine: exit %d, %s", o.code, o.stderr)
	}
	u.background(t, "--keep", "disk", "bb", "--", "/bin/sh", "-c", "trap 'exit 7' TERM; sleep 1000 & wait")
	t.Run("commands", u.sshCommands)
	t.Run("copies", u.sshCopies)
	t.Run("others", u.sshOthers)
	t.Run("forwards", u.sshForwards)
	t.Run("status", u.sshStatus)
	t.Run("vsock", u.sshVsock)
	t.Run("strangers", u.sshStrangers)
	output(t, u.command("banger", "machine", "stop", "bb"))
	if o := finish(t, u.command("banger", "ssh", "bb", "true")); o.code != 66 {
		t.Errorf("a machine that is gone: exit %d, %s", o.code, o.stderr)
	}
	output(t, exec.Command(which("e2fsck"), "-fn", filepath.Join(u.home, "disk")))
	noLeftovers(t, u)
}

// sshCommands: commands have the user, the status, the streams and the terminal
// that they should have.
func (u user) sshCommands(t *testing.T) {
	for _, c := range []struct {
		args   string
		in     string
		code   int
		stdout string
	}{
		{"bb id -u", "", 0, "0\n"},
		{"bb exit 7", "", 7, ""},
		{"web@bb id -un; id -G; pwd; echo $HOME", "", 0, "web\n102 7\n/srv\n/srv\n"},
		{"4321@bb id -u", "", 0, "4321\n"},
		{"bb wc -c", "12345", 0, "5\n"},
		{"-o SetEnv=A=b bb echo $A", "", 0, "b\n"},
		{"-tt bb test -t 0 && stat -c %a:%g $(tty)", "", 0, "620:5\r\n"},
		{"-q bb kill -9 $$", "", 255, ""}, // ssh(1) has no status for a signal
	} {
		cmd := u.command("banger", append([]string{"ssh"}, strings.Fields(c.args)...)...)
		cmd.Stdin = strings.NewReader(c.in)
		if o := finish(t, cmd); o.code != c.code || o.stdout != c.stdout {
			t.Errorf("%s: exit %d, %q, not %d, %q; %s", c.args, o.code, o.stdout, c.code, c.stdout, o.stderr)
		}
	}
	cmd := u.command("banger", "ssh") // the only machine
	cmd.Stdin = strings.NewReader("hostname\nexit 3\n")
	if o := finish(t, cmd); o.code != 3 || o.stdout != "bb\n" {
		t.Errorf("exit %d, %q; %s", o.code, o.stdout, o.stderr)
	}
}

// sshCopies: files arrive whole, both ways, and belong to who has sent them.
func (u user) sshCopies(t *testing.T) {
	config := u.machineFile("bb", "ssh_config")
	content := bytes.Repeat([]byte("all\x00 bytes\xff"), 100_000)
	if err := os.WriteFile(filepath.Join(u.home, "there"), content, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(u.home, "there"), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, u.command("banger", "ssh", "bb", "chown web /srv"))
	output(t, u.command("scp", "-q", "-F", config, "there", "web@bb:scp"))
	batch := u.command("sftp", "-q", "-b", "-", "-F", config, "web@bb")
	batch.Stdin = strings.NewReader("put there sftp\nget scp back\nchmod 600 sftp\n")
	output(t, batch)
	if got := output(t, u.command("banger", "ssh", "bb", "stat -c '%n %U:%G %a %s' /srv/*")); got != fmt.Sprintf(
		"/srv/scp web:web 644 %d\n/srv/sftp web:web 600 %[1]d", len(content)) {
		t.Errorf("%s", got)
	}
	if back, err := os.ReadFile(filepath.Join(u.home, "back")); err != nil || !bytes.Equal(back, content) {
		t.Errorf("%d bytes of %d came back, %v", len(back), len(content), err)
	}
}

// sshForwards: a server in the guest is reached from the host, one on the host
// from the guest, which has no other network.
func (u user) sshForwards(t *testing.T) {
	config := u.machineFile("bb", "ssh_config")
	output(t, u.command("banger", "ssh", "bb", "mkdir -p /www && echo from the guest >/www/page && httpd -p 127.0.0.1:80 -h /www"))
	socket := filepath.Join(u.home, "web.sock")
	script := fmt.Sprintf(`ssh -F %[1]s -f -N -M -S control -o ExitOnForwardFailure=yes -L %[2]s:127.0.0.1:80 -R 127.0.0.1:8081:%[2]s bb
		curl -s --unix-socket %[2]s http://guest/page
		ssh -F %[1]s bb wget -q -O - http://127.0.0.1:8081/page
		ssh -F %[1]s -S control -O exit bb 2>&1`, config, socket)
	o := finish(t, u.command("sh", "-ec", script))
	if want := "from the guest\nfrom the guest\nExit request sent.\r\n"; o.code != 0 || o.stdout != want {
		t.Errorf("exit %d, %q, not %q; %s", o.code, o.stdout, want, o.stderr)
	}
}

// sshStatus: the agent's document says what runs, and when each step was reached.
func (u user) sshStatus(t *testing.T) {
	text := output(t, u.command("ssh", "-F", u.machineFile("bb", "ssh_config"), "-s", "bb", "status@banger"))
	var s struct {
		Hostname, Rule string
		Command        []string
		Started        bool
		Addresses      []string
		Times          struct{ Init, Root, Agent, SSH, Ready int64 }
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	times := s.Times
	if s.Hostname != "bb" || s.Rule != "the command given" || len(s.Command) != 3 || !s.Started || s.Addresses[0] != "10.0.2.15/24" ||
		times.Init <= 0 || times.Root < times.Init || times.Agent < times.Root || times.SSH < times.Agent || times.Ready < times.SSH {
		t.Errorf("%s", text)
	}
}

// sshVsock: the agent listens on vsock too. A ProxyCommand goes into the machine
// by TCP and back to it by vsock's loopback.
func (u user) sshVsock(t *testing.T) {
	output(t, u.command("banger", "ssh", "bb", "modprobe vsock_loopback"))
	proxy := "ProxyCommand=ssh -F " + u.machineFile("bb", "ssh_config") + " bb /bin/vsock"
	o := finish(t, u.command("banger", "ssh", "-o", proxy, "bb", `echo "$SSH_CONNECTION"; exit 5`))
	if o.code != 5 || !strings.HasPrefix(o.stdout, "UNKNOWN 65535 ") {
		t.Errorf("exit %d, %q; %s", o.code, o.stdout, o.stderr)
	}
}

// sshStrangers: who has no key of the machine, or asks for a user that is not in
// the image, does not get in.
func (u user) sshStrangers(t *testing.T) {
	config := u.machineFile("bb", "ssh_config")
	output(t, u.command("sh", "-ec", `ssh-keygen -q -t ed25519 -N '' -f other
		sed "s,IdentityFile .*,IdentityFile $PWD/other," "$1" >config`, "sh", config))
	for args, want := range map[string]string{
		"-F config bb true":                               "Permission denied (publickey)",
		"-F " + config + " stranger@bb true":              "Permission denied (publickey)",
		"-F " + config + " -o HostKeyAlias=other bb true": "Host key verification failed",
	} {
		o := finish(t, u.command("ssh", strings.Fields(args)...))
		if o.code != 255 || !strings.Contains(o.stderr, want) {
			t.Errorf("%s: exit %d, %s", args, o.code, o.stderr)
		}
	}
	for args, code := range map[string]int{"no/name": 64, "-F x bb": 64, "-L": 64, "other": 66} {
		if o := finish(t, u.command("banger", append([]string{"ssh"}, strings.Fields(args)...)...)); o.code != code || !strings.HasPrefix(o.stderr, "banger-ssh: ") {
			t.Errorf("%s: exit %d, not %d; %s", args, o.code, code, o.stderr)
		}
	}
}

// TestSSHHung: where an init hangs, one can log in and look, and the machine ends
// when it is asked to.
func TestSSHHung(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "busybox", "ssh", "e2fsck", "jq")
	u := newUser(t, known)
	u.addKernel(t, "k", kernel61)
	root := u.busyboxTree(t, "hung")
	output(t, u.command("sh", "-ec", `mkdir hung/sbin && printf '#!/bin/sh\nwhile :; do sleep 1000; done\n' >hung/sbin/init && chmod 755 hung/sbin/init`))
	u.publishTree(t, root, "hung")
	u.background(t, "--keep", "disk", "hung")
	if got := output(t, u.command("banger", "ssh", "-tt", "hung", "tr '\\0' ' ' </proc/1/cmdline")); got != "/bin/sh /sbin/init " {
		t.Errorf("process 1 is %q", got)
	}
	output(t, u.command("banger", "machine", "stop", "hung"))
	if o := finish(t, exec.Command(which("e2fsck"), "-n", filepath.Join(u.home, "disk"))); !strings.Contains(o.stdout, ": clean,") {
		t.Errorf("%s", o.stdout)
	}
	noLeftovers(t, u)
}
