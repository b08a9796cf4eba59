// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDbclient logs in with dropbear's client.
func TestDbclient(t *testing.T) {
	need(t, "dbclient", "dropbearconvert")
	h := serve(t, busybox(t))
	key := filepath.Join(h.dir, "dropbear")
	output(t, exec.Command("dropbearconvert", "openssh", "dropbear", filepath.Join(h.dir, "id"), key))
	dbclient := func(args ...string) *exec.Cmd {
		c := exec.Command("dbclient", append([]string{"-y", "-i", key, "-p", fmt.Sprint(h.addr.Port)}, args...)...)
		c.Env = append(os.Environ(), "HOME="+h.dir)
		return c
	}
	c := dbclient("user@127.0.0.1", "id -u; wc -c; exit 5")
	c.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
	if stdout, stderr, status := run(t, c); stdout != "4711\n1048576\n" || status != 5 {
		t.Errorf("%q, %d\n%s", stdout, status, stderr)
	}
	p := listenPeer(t, "tcp", "127.0.0.1:0")
	c = dbclient("-B", p.Addr().String(), "root@127.0.0.1")
	c.Stdin = strings.NewReader("B")
	if got := output(t, c); got != string(payload) {
		t.Errorf("-B: %d bytes", len(got))
	}
	<-p.heard
}

// TestParamiko logs in with paramiko, which asserts what it sees.
func TestParamiko(t *testing.T) {
	need(t, "/usr/bin/python3")
	if err := exec.Command("/usr/bin/python3", "-c", "import paramiko").Run(); err != nil {
		need(t, "paramiko")
	}
	h := serve(t, busybox(t))
	c := exec.Command("/usr/bin/python3", "testdata/client.py", fmt.Sprint(h.addr.Port), filepath.Join(h.dir, "id"))
	c.Stderr = os.Stderr
	check(t, c.Run())
}

// TestSubsystems serves what the server's caller adds.
func TestSubsystems(t *testing.T) {
	h := serve(t, scratch(t), func(s *Server) {
		s.Subsystems = map[string]Subsystem{"upper@banger": func(user Account, in io.Reader, out io.Writer) int {
			text, _ := io.ReadAll(in)
			fmt.Fprintf(out, "%s: %s", user.Name, strings.ToUpper(string(text)))
			return 6
		}}
	})
	c := h.ssh("-s", "vm", "upper@banger")
	c.Stdin = strings.NewReader("text")
	if stdout, _, status := run(t, c); stdout != "root: TEXT" || status != 6 {
		t.Errorf("%q, %d", stdout, status)
	}
	if _, stderr, status := run(t, h.ssh("-s", "vm", "nosuch")); status != 255 || !strings.Contains(stderr, "subsystem request failed") {
		t.Errorf("%q, %d", stderr, status)
	}
}
