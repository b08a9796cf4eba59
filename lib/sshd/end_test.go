// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// TestSignals sends signals, as no OpenSSH client does, and reads exit-signal. On a
// terminal, the job in the foreground gets them, and not the shell.
func TestSignals(t *testing.T) {
	h := serve(t, busybox(t))
	client := h.dial("user")
	// The sleep gets the signal of the job too: the shell says so on stderr.
	const loop = `trap "echo got; trap - TERM" USR1; echo ready; while :; do sleep 1; done 2>/dev/null`
	for _, terminal := range []bool{false, true} {
		command := loop
		s, err := client.NewSession()
		check(t, err)
		if terminal {
			check(t, s.RequestPty("vt100", 24, 80, nil))
			command = "set -m; sh -c '" + loop + "'; exit 7"
		}
		out, err := s.StdoutPipe()
		check(t, err)
		check(t, s.Start(command))
		buffer := make([]byte, 64)
		await := func(text string) {
			t.Helper()
			n, err := out.Read(buffer)
			if got := strings.TrimSpace(string(buffer[:n])); got != text {
				t.Fatalf("terminal %v: %q, %v; want %q", terminal, got, err, text)
			}
		}
		await("ready")
		check(t, s.Signal(ssh.SIGUSR1))
		await("got")
		check(t, s.Signal(ssh.SIGTERM))
		var ended *ssh.ExitError
		if err := s.Wait(); !errors.As(err, &ended) || terminal && ended.ExitStatus() != 7 || !terminal && ended.Signal() != "TERM" {
			t.Errorf("terminal %v: %v", terminal, err)
		}
	}
}

// TestClientKilled kills clients in the middle of what they do: no process is left.
func TestClientKilled(t *testing.T) {
	need(t, "sftp")
	root := busybox(t)
	h := serve(t, root)
	large := filepath.Join(h.dir, "large")
	check(t, os.WriteFile(large, nil, 0o600))
	check(t, os.Truncate(large, 1<<40))
	at := func(name string) string { return filepath.Join(root, "data", name) }
	for name, c := range map[string]*exec.Cmd{
		"upload":      h.ssh("vm", "cat >/data/upload"),
		"download":    h.ssh("vm", "echo >/data/download; exec cat /dev/zero"),
		"idle":        h.ssh("vm", "echo >/data/idle; sleep 1000; echo"),
		"many":        h.ssh("vm", "sleep 1000 | sleep 1000 & echo >/data/many; wait"),
		"stopped":     h.ssh("vm", "sleep 1000 & kill -STOP $!; echo >/data/stopped; wait"),
		"terminal":    h.ssh("-tt", "vm", "echo >/data/terminal; sleep 1000; echo"),
		"interactive": h.ssh("-tt", "vm"),
		"sftp":        h.command("sftp", "-b", "-", "vm"),
	} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "upload":
				zero, err := os.Open("/dev/zero")
				check(t, err)
				defer zero.Close()
				c.Stdin = zero
			case "interactive":
				in, err := c.StdinPipe()
				check(t, err)
				in.Write([]byte("sleep 1000 & echo >/data/interactive; sleep 1000\n"))
			case "sftp":
				c.Stdin = strings.NewReader("put " + large + " /data/sftp\n")
			}
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			check(t, c.Start())
			until(t, "it is at work", func() bool {
				info, err := os.Stat(at(name))
				return err == nil && info.Size() > 0
			})
			check(t, unix.Kill(-c.Process.Pid, unix.SIGKILL))
			c.Wait()
			h.awaitNone()
			os.Remove(at(name))
		})
	}
}

// TestBackground leaves a process that has let go of the session's streams.
func TestBackground(t *testing.T) {
	h := serve(t, busybox(t))
	output(t, h.ssh("vm", "sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >/data/pid"))
	left := h.processes()
	if len(left) != 1 || !strings.Contains(left[0], "sleep") {
		t.Fatalf("%q", left)
	}
	output(t, h.ssh("vm", "kill $(cat /data/pid)"))
	h.awaitNone()
}

// TestOutOfMemory gives sessions a score of their own, as the server's is not for
// them. A process without rights may only raise it.
func TestOutOfMemory(t *testing.T) {
	const own = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(own)
	check(t, err)
	if strings.TrimSpace(string(before)) != "0" {
		t.Skipf("the test's own score is %s", before)
	}
	check(t, os.WriteFile(own, []byte("100"), 0))
	defer os.WriteFile(own, before, 0)
	h := serve(t, "")
	if got := output(t, h.ssh("vm", "cat "+own)); got != "0\n" {
		t.Errorf("%q", got)
	}
}

func TestNoMoreSessions(t *testing.T) {
	h := serve(t, busybox(t))
	client := h.dial("root")
	ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
	if !ok || err != nil {
		t.Error("no answer to keepalive", err)
	}
	if ok, _, err := client.SendRequest("nosuch@example.org", true, nil); ok || err != nil {
		t.Error("an unknown request", ok, err)
	}
	_, err = client.NewSession()
	check(t, err)
	_, _, err = client.SendRequest("no-more-sessions@openssh.com", true, nil)
	check(t, err)
	if _, err := client.NewSession(); err == nil || !strings.Contains(err.Error(), "no more sessions") {
		t.Error(err)
	}
	if _, _, err := client.OpenChannel("x11", nil); err == nil || !strings.Contains(err.Error(), "unknown channel type") {
		t.Error(err)
	}
}
