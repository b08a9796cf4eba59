// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A master is a client whose connection others share.
type master struct {
	*host
	socket string
}

// master connects as a user, and returns once that has worked.
func (h *host) master(user string, options ...string) *master {
	h.t.Helper()
	m := &master{h, filepath.Join(h.dir, "m-"+user)}
	args := append(options, "-M", "-S", m.socket, "-N", "-l", user, "vm")
	c := h.ssh(args...)
	check(h.t, c.Start())
	h.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	until(h.t, "the master is connected", func() bool { return m.do("check") == nil })
	return m
}

// do has the master do something: forward, cancel, exit.
func (m *master) do(what string, args ...string) error {
	_, err := m.ask(what, args...)
	return err
}

func (m *master) ask(what string, args ...string) (string, error) {
	text, err := m.ssh(append([]string{"-S", m.socket, "-O", what}, append(args, "vm")...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %q: %w: %s", what, args, err, text)
	}
	return strings.TrimSpace(string(text)), err
}

// payload is what is sent each way.
var payload = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

// A peer is the end of forwarded connections.
type peer struct {
	net.Listener
	heard chan [sha256.Size]byte // what came in on a connection that ended first
}

// listenPeer listens. Where the first byte of a connection is A it reads to the end
// before it answers; else it answers at once and goes on reading.
func listenPeer(t testing.TB, network, address string) *peer {
	t.Helper()
	l, err := net.Listen(network, address)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	p := &peer{l, make(chan [sha256.Size]byte, 1)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.talk(c.(stream))
		}
	}()
	return p
}

func (p *peer) talk(c stream) {
	defer c.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if first[0] == 'A' {
		text, _ := io.ReadAll(c)
		sum := sha256.Sum256(text)
		c.Write(sum[:])
		return
	}
	c.Write(payload)
	c.CloseWrite()
	text, _ := io.ReadAll(c)
	p.heard <- sha256.Sum256(text)
}

// try connects to p through dial, and closes each direction before the other.
func (p *peer) try(t testing.TB, name string, dial func() (net.Conn, error)) {
	t.Helper()
	want := sha256.Sum256(payload)
	connect := func() stream {
		c, err := dial()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		return c.(stream)
	}
	c := connect()
	io.WriteString(c, "A")
	_, err := c.Write(payload)
	check(t, err)
	check(t, c.CloseWrite())
	if got, err := io.ReadAll(c); !bytes.Equal(got, want[:]) {
		t.Errorf("%s: closed here first: %x, %v", name, got, err)
	}
	c.Close()

	c = connect()
	io.WriteString(c, "B")
	if got, err := io.ReadAll(c); !bytes.Equal(got, payload) {
		t.Errorf("%s: closed there first: %d bytes, %v", name, len(got), err)
	}
	_, err = c.Write(payload)
	check(t, err)
	c.Close()
	select {
	case got := <-p.heard:
		if got != want {
			t.Errorf("%s: closed there first: what followed differs", name)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s: the end did not come", name)
	}
}

func dialer(network, address string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial(network, address) }
}

func TestForwardLocal(t *testing.T) {
	root := busybox(t)
	h := serve(t, root)
	m := h.master("user")
	overTCP := listenPeer(t, "tcp", "127.0.0.1:0")
	overUnix := listenPeer(t, "unix", filepath.Join(root, "data/peer"))
	check(t, os.Chmod(filepath.Join(root, "data/peer"), 0o777))
	_, port, _ := net.SplitHostPort(overTCP.Addr().String())
	for name, p := range map[string]struct {
		*peer
		to string
	}{
		"address":   {overTCP, overTCP.Addr().String()},
		"localhost": {overTCP, "localhost:" + port},
		"unix":      {overUnix, "/data/peer"},
	} {
		local := filepath.Join(h.dir, name)
		check(t, m.do("forward", "-L", local+":"+p.to))
		p.try(t, "-L to "+name, dialer("unix", local))
	}
}

// TestForwardPermissions connects to sockets with the rights of the user.
func TestForwardPermissions(t *testing.T) {
	root := busybox(t)
	h := serve(t, root)
	p := listenPeer(t, "unix", filepath.Join(root, "data/peer"))
	check(t, os.Chmod(filepath.Join(root, "data/peer"), 0o600))
	user, admin := h.master("user"), h.master("root")
	local := filepath.Join(h.dir, "local")
	check(t, admin.do("forward", "-L", local+":/data/peer"))
	p.try(t, "root", dialer("unix", local))
	check(t, user.do("forward", "-L", local+"2:/data/peer"))
	c, err := net.Dial("unix", local+"2")
	check(t, err)
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a user has connected to root's socket")
	}
	if err := user.do("forward", "-R", "/etc/socket:/nowhere"); err == nil {
		t.Error("a user has made a socket in root's directory")
	}
}

func TestForwardRemote(t *testing.T) {
	root := busybox(t)
	h := serve(t, root)
	m := h.master("user")
	overTCP := listenPeer(t, "tcp", "127.0.0.1:0")
	overUnix := listenPeer(t, "unix", filepath.Join(h.dir, "peer"))

	for _, bind := range []string{"", "127.0.0.1:", "*:"} {
		forward := bind + "0:" + overTCP.Addr().String()
		port, err := m.ask("forward", "-R", forward)
		check(t, err)
		overTCP.try(t, "-R "+forward, dialer("tcp", "127.0.0.1:"+port))
		check(t, m.do("cancel", "-R", bind+"0:"+overTCP.Addr().String()))
		until(t, "the port is closed", func() bool { // the client does not wait for that
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}

	socket := filepath.Join(root, "home/user/socket")
	check(t, m.do("forward", "-R", "/home/user/socket:"+overUnix.Addr().String()))
	if got := owner(t, socket); got != "4711:4712 600" {
		t.Error(got)
	}
	overUnix.try(t, "-R of a socket", dialer("unix", socket))
	if err := m.do("forward", "-R", "/home/user/socket:/other"); err == nil {
		t.Error("a second socket at one path")
	}
	check(t, m.do("cancel", "-R", "/home/user/socket:"+overUnix.Addr().String()))
	until(t, "the socket is removed", func() bool { return !exists(socket) })
	check(t, m.do("forward", "-R", "/home/user/socket:"+overUnix.Addr().String()))
	check(t, m.do("exit"))
	until(t, "the socket is removed", func() bool { return !exists(socket) })
	h.awaitNone()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestForwardRefused asks for ports that cannot be had.
func TestForwardRefused(t *testing.T) {
	h := serve(t, busybox(t))
	m := h.master("user")
	taken := listenPeer(t, "tcp", "127.0.0.1:0")
	if err := m.do("forward", "-R", taken.Addr().String()+":127.0.0.1:1"); err == nil {
		t.Error("listens on a port that is taken")
	}
	_, stderr, status := run(t, h.ssh("-o", "LogLevel=INFO", "-W", "127.0.0.1:1", "vm"))
	if status != 255 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// TestForwardStreams joins the client's own streams with a port.
func TestForwardStreams(t *testing.T) {
	h := serve(t, scratch(t))
	p := listenPeer(t, "tcp", "127.0.0.1:0")
	c := h.ssh("-W", p.Addr().String(), "vm")
	c.Stdin = io.MultiReader(strings.NewReader("A"), bytes.NewReader(payload))
	want := sha256.Sum256(payload)
	if got := output(t, c); got != string(want[:]) {
		t.Errorf("%x", got)
	}
}

// TestForwardDynamic connects through the client's SOCKS proxy.
func TestForwardDynamic(t *testing.T) {
	h := serve(t, scratch(t))
	m := h.master("root")
	p := listenPeer(t, "tcp", "127.0.0.1:0")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	proxy := free.Addr().String()
	free.Close()
	check(t, m.do("forward", "-D", proxy))
	_, port, _ := net.SplitHostPort(p.Addr().String())
	number, err := strconv.Atoi(port)
	check(t, err)
	p.try(t, "-D", func() (net.Conn, error) {
		c, err := net.Dial("tcp", proxy)
		if err != nil {
			return nil, err
		}
		// RFC 1928: no authentication; connect to an IPv4 address.
		c.Write([]byte{5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, byte(number >> 8), byte(number)})
		_, err = io.ReadFull(c, make([]byte, 2+10))
		return c, err
	})
}

// TestManySessions has 200 sessions on one connection at a time.
func TestManySessions(t *testing.T) {
	h := serve(t, busybox(t))
	m := h.master("user")
	many := 200
	if testing.Short() {
		many = 20
	}
	type client struct {
		in  io.WriteCloser
		end func() error
		out io.Reader
	}
	var clients []client
	for i := range many {
		c := h.ssh("-S", m.socket, "vm", fmt.Sprintf("echo %03d; cat; exit %d", i, i%100))
		in, err := c.StdinPipe()
		check(t, err)
		out, err := c.StdoutPipe()
		check(t, err)
		check(t, c.Start())
		clients = append(clients, client{in, c.Wait, out})
	}
	for i, c := range clients {
		line := make([]byte, 4)
		if _, err := io.ReadFull(c.out, line); err != nil || string(line) != fmt.Sprintf("%03d\n", i) {
			t.Fatalf("session %d: %q, %v", i, line, err)
		}
	}
	for i, c := range clients {
		fmt.Fprint(c.in, "more")
		c.in.Close()
		text, err := io.ReadAll(c.out)
		if string(text) != "more" {
			t.Errorf("session %d: %q, %v", i, text, err)
		}
		if err := c.end(); (err == nil) != (i%100 == 0) || err != nil && err.Error() != fmt.Sprintf("exit status %d", i%100) {
			t.Errorf("session %d: %v", i, err)
		}
	}
}
