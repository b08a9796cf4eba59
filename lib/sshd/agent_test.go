// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAgent uses the client's agent as a user other than root, in an image that
// has no /tmp.
func TestAgent(t *testing.T) {
	need(t, "ssh-agent", "ssh-add")
	root := busybox(t)
	h := serve(t, root)
	socket := filepath.Join(h.dir, "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	check(t, agent.Start())
	defer func() {
		agent.Process.Kill()
		agent.Wait()
	}()
	until(t, "the agent listens", func() bool { return exists(socket) })
	add := exec.Command("ssh-add", "-q", filepath.Join(h.dir, "id"))
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	output(t, add)

	c := h.ssh("-A", "-o", "IdentityAgent="+socket, "-l", "user", "vm", "echo $SSH_AUTH_SOCK; cat")
	in, err := c.StdinPipe()
	check(t, err)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	line := make([]byte, 256)
	n, err := out.Read(line)
	check(t, err)
	there := filepath.Join(root, strings.TrimSpace(string(line[:n])))
	for path, want := range map[string]string{there: "4711:4712 600", filepath.Dir(there): "4711:4712 700"} {
		if got := owner(t, path); got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	list := exec.Command("ssh-add", "-L")
	list.Env = []string{"SSH_AUTH_SOCK=" + there}
	list.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userID, Gid: userID + 1}}
	public, err := os.ReadFile(filepath.Join(h.dir, "id.pub"))
	check(t, err)
	if got := output(t, list); !strings.HasPrefix(got, strings.TrimSpace(string(public))) {
		t.Errorf("%q; want %q", got, public)
	}
	in.Close()
	check(t, c.Wait())
	until(t, "the socket is removed", func() bool { return !exists(filepath.Dir(there)) })
	h.awaitNone()
}

// TestAgentRefused forwards no agent where there is no place for its socket.
func TestAgentRefused(t *testing.T) {
	h := serve(t, busybox(t), func(s *Server) { s.AgentDir = "" })
	if got := output(t, h.ssh("-A", "-o", "IdentityAgent="+filepath.Join(h.dir, "none"), "vm", "echo [$SSH_AUTH_SOCK]")); got != "[]\n" {
		t.Errorf("%q", got)
	}
}
