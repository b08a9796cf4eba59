// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// TestHostile sends what no client does. The server serves others on.
func TestHostile(t *testing.T) {
	h := serve(t, busybox(t))
	random := rand.New(rand.NewPCG(1, 2))
	garbage := func() []byte {
		text := make([]byte, random.IntN(100))
		for i := range text {
			text[i] = byte(random.IntN(4)) // small lengths, so that some is parsed
		}
		return text
	}
	client := h.dial("user")
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		for _, request := range []string{"tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com", "cancel-streamlocal-forward@openssh.com"} {
			if _, _, err := client.SendRequest(request, true, garbage()); err != nil {
				t.Fatal(request, err)
			}
		}
		for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com", "x11", "auth-agent@openssh.com"} {
			if _, _, err := client.OpenChannel(kind, garbage()); err == nil {
				t.Error("opened", kind)
			}
		}
		channel, requests, err := client.OpenChannel("session", nil)
		check(t, err)
		go ssh.DiscardRequests(requests)
		for _, request := range []string{"window-change", "signal", "env", "pty-req", "exec", "subsystem", "x11-req", "exec", "shell", "env", "signal"} {
			if _, err := channel.SendRequest(request, true, garbage()); err != nil && request == "window-change" {
				t.Fatal(request, err)
			}
		}
		channel.Close()
	}
	h.awaitNone()
	output(t, h.ssh("vm", "true"))
}

// TestLimits asks for more than there is.
func TestLimits(t *testing.T) {
	h := serve(t, busybox(t))
	client := h.dial("user")
	session, requests, err := client.OpenChannel("session", nil)
	check(t, err)
	go ssh.DiscardRequests(requests)
	accepted := 0
	for range 2 * maxVariables {
		ok, err := session.SendRequest("env", true, ssh.Marshal(struct{ Name, Value string }{"NAME", "value"}))
		check(t, err)
		if ok {
			accepted++
		}
	}
	if accepted != maxVariables {
		t.Errorf("%d variables", accepted)
	}
	large := struct{ Name, Value string }{"NAME", strings.Repeat("x", maxEnv)}
	if ok, err := session.SendRequest("env", true, ssh.Marshal(large)); ok || err != nil {
		t.Error("a large variable", ok, err)
	}
	opened := 1
	for {
		_, requests, err := client.OpenChannel("session", nil)
		if err != nil {
			if !strings.Contains(err.Error(), "too many channels") {
				t.Error(err)
			}
			break
		}
		go ssh.DiscardRequests(requests)
		opened++
	}
	if opened != maxChannels {
		t.Errorf("%d channels", opened)
	}
	output(t, h.ssh("vm", "true"))
}

// TestThreads has many sessions and listeners that wait. The server's threads are
// no more for that: the kernel limits their number, and the Go runtime does.
func TestThreads(t *testing.T) {
	h := serve(t, busybox(t))
	client := h.dial("user")
	threads := func() int {
		all, err := os.ReadDir("/proc/self/task")
		check(t, err)
		return len(all)
	}
	before := threads()
	const many = 30
	for range many {
		s, err := client.NewSession()
		check(t, err)
		check(t, s.Start("sleep 1000"))
		_, err = client.Listen("tcp", "127.0.0.1:0")
		check(t, err)
	}
	if now := threads(); now > before+many/2 {
		t.Errorf("%d threads; %d before", now, before)
	}
	client.Close()
	h.awaitNone()
}

// TestBusySocket connects to a socket that takes no connections, until no more of
// the user's processes may open one. Another client's forwards work all the same,
// and nothing waits for a client that is gone.
func TestBusySocket(t *testing.T) {
	root := busybox(t)
	h := serve(t, root)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	busy := filepath.Join(root, "data/busy")
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: busy}))
	check(t, os.Chmod(busy, 0o777))
	check(t, unix.Listen(fd, 0))
	first, err := net.Dial("unix", busy) // fills the queue
	check(t, err)
	defer first.Close()

	before := runtime.NumGoroutine()
	client := h.dial("user")
	for range 4 * maxStarting {
		go client.Dial("unix", "/data/busy")
	}
	until(t, "the processes wait", func() bool { return len(h.processes()) == maxStarting })
	other := h.dial("root")
	if _, err := other.ListenUnix("/data/other"); err != nil {
		t.Error(err)
	}
	if n := len(h.processes()); n != maxStarting+1 { // with that of the new socket
		t.Errorf("%d processes: the other client has waited", n)
	}
	other.Close()
	client.Close()
	h.awaitNone()
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// TestIncomingLimit opens as many connections to a listener as a client may have.
// The client can still open a session.
func TestIncomingLimit(t *testing.T) {
	h := serve(t, busybox(t))
	client := h.dial("user")
	l, err := client.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	for range maxChannels {
		c, err := net.Dial("tcp", l.Addr().String())
		check(t, err)
		defer c.Close()
		_, err = l.Accept()
		check(t, err)
	}
	s, err := client.NewSession()
	check(t, err)
	check(t, s.Run("true"))
	c, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("one more connection was taken")
	}
}

// TestNUL sends texts with a NUL byte where the kernel would take what is before it.
func TestNUL(t *testing.T) {
	root := busybox(t)
	h := serve(t, root)
	client := h.dial("user")
	for _, path := range []string{"/home/user/socket\x00more", "\x00abstract"} {
		if _, err := client.ListenUnix(path); err == nil {
			t.Errorf("listens on %q", path)
		}
	}
	if left, err := os.ReadDir(filepath.Join(root, "home/user")); len(left) > 0 || err != nil {
		t.Error(left, err)
	}
	s, err := client.NewSession()
	check(t, err)
	text, err := s.CombinedOutput("echo a\x00b")
	if string(text) != "the command has a NUL byte\n" || err == nil {
		t.Errorf("%q, %v", text, err)
	}
}

// TestListenerLimit asks for more ports than a connection may have.
func TestListenerLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	h := serve(t, busybox(t))
	client := h.dial("user")
	for i := range maxListeners + 1 {
		ok, _, err := client.SendRequest("tcpip-forward", true, ssh.Marshal(tcpAddress{"127.0.0.1", 0}))
		check(t, err)
		if ok != (i < maxListeners) {
			t.Fatalf("listener %d: %v", i, ok)
		}
	}
}

// TestGarbage connects with what is not SSH.
func TestGarbage(t *testing.T) {
	h := serve(t, busybox(t), func(s *Server) { s.authTime = 2 * time.Second })
	for _, text := range []string{"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n\xff\xff\xff\xff" + strings.Repeat("x", 1000), strings.Repeat("\x00", 1<<16)} {
		c, err := net.Dial("tcp", h.addr.String())
		check(t, err)
		c.Write([]byte(text))
		for buffer := make([]byte, 1<<10); err == nil; { // until the server closes it
			_, err = c.Read(buffer)
		}
		c.Close()
	}
	output(t, h.ssh("vm", "true"))
}
