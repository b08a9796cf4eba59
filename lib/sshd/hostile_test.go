// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
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
