// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestFirecracker logs in through a vsock socket like Firecracker's, with the
// ssh_config of banger-boot(1).
func TestFirecracker(t *testing.T) {
	need(t, "socat")
	h := serve(t, busybox(t))
	h.vmConfig()
	s := h.vsock(true)
	c := h.vm("wc -c; exit 5")
	c.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
	if stdout, stderr, status := run(t, c); stdout != "1048576\n" || status != 5 {
		t.Errorf("%q, %d\n%s", stdout, status, stderr)
	}
	check(t, s.Close())
}

// TestFirecrackerDead connects to sockets that lead to no SSH server. ssh fails and
// does not hang.
func TestFirecrackerDead(t *testing.T) {
	need(t, "socat")
	h := serve(t, scratch(t))
	h.vmConfig()
	dead := func(name string) {
		t.Helper()
		if stdout, stderr, status := run(t, h.vm("true")); status != 255 {
			t.Errorf("%s: %q, %d\n%s", name, stdout, status, stderr)
		}
	}
	dead("no socket")
	s := h.vsock(false)
	dead("a guest that does not listen")
	s.SetUnlinkOnClose(false)
	check(t, s.Close())
	dead("a socket without a process")
}

// vmConfig writes the vm.ssh of banger-boot(1), and its known_hosts.
func (h *host) vmConfig() {
	h.t.Helper()
	page, err := os.ReadFile("../../man/banger-boot.1")
	check(h.t, err)
	_, rest, found := strings.Cut(string(page), "\n$ cat >vm.ssh <<'EOF'\n")
	text, _, ended := strings.Cut(rest, "\nEOF\n")
	if !found || !ended {
		h.t.Fatal("banger-boot(1) has no vm.ssh")
	}
	check(h.t, os.WriteFile(filepath.Join(h.dir, "vm.ssh"), []byte(text+"\n"), 0o600))
	known := fmt.Appendf(nil, "guest %s", ssh.MarshalAuthorizedKey(h.HostKey.PublicKey()))
	check(h.t, os.WriteFile(filepath.Join(h.dir, "known_hosts"), known, 0o600))
}

// vm returns the ssh of banger-boot(1), with the test's key. It is ended after a
// minute, by the signal of a test that has failed.
func (h *host) vm(command string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	h.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, "ssh", "-F", "vm.ssh", "-i", "id", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "vm", command)
	c.Dir = h.dir
	c.WaitDelay = time.Second
	return c
}

// vsock listens as Firecracker does for connections to the guest. The server is the
// guest's, if it listens; else connections are closed.
func (h *host) vsock(listens bool) *net.UnixListener {
	h.t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(h.dir, "dev.ext4.vsock")})
	check(h.t, err)
	var all sync.WaitGroup
	h.t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for c, err := l.AcceptUnix(); err == nil; c, err = l.AcceptUnix() {
			all.Go(func() { h.connect(c, listens) })
		}
	})
	return l
}

// connect serves a connection to the socket: a line with a port, an answer, and
// what the guest's port says and hears.
func (h *host) connect(c *net.UnixConn, listens bool) {
	defer c.Close()
	from := bufio.NewReader(c)
	if line, err := from.ReadString('\n'); err != nil || line != "CONNECT 22\n" {
		h.t.Errorf("%q, %v", line, err)
		return
	}
	if !listens {
		return
	}
	guest, err := net.DialTCP("tcp", nil, h.addr)
	if err != nil {
		h.t.Error(err)
		return
	}
	defer guest.Close()
	fmt.Fprintf(c, "OK %d\n", 1<<30)
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(guest, from)
		guest.CloseWrite()
	})
	io.Copy(c, guest)
	c.CloseWrite()
	both.Wait()
}
