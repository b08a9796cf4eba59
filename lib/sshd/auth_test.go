// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestRefused(t *testing.T) {
	h := serve(t, busybox(t))
	newKey(t, filepath.Join(h.dir, "other"))
	h.config("other")
	for _, args := range [][]string{
		{"vm", "echo in"},
		{"-o", "PreferredAuthentications=password,keyboard-interactive,none", "vm", "echo in"},
	} {
		stdout, stderr, status := run(t, h.ssh(args...))
		if status != 255 || stdout != "" || !strings.Contains(stderr, "Permission denied (publickey)") {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}

func TestUnknownUser(t *testing.T) {
	h := serve(t, busybox(t))
	for user, want := range map[string]string{
		"nosuch":                 `there is no user "nosuch"`,
		"user:root":              `there is no user "user:root"`,
		"4294967295":             "there is no user",
		strings.Repeat("x", 300): "the user name has 300 bytes",
	} {
		_, stderr, status := run(t, h.ssh("-o", "LogLevel=INFO", "-o", "User="+user, "vm", "true"))
		if status != 255 || !strings.Contains(stderr, want) || !strings.Contains(stderr, "Permission denied (publickey)") {
			t.Errorf("%.20s: status %d, %q", user, status, stderr)
		}
	}
}

// TestOddIDs logs in as users that the kernel does not have: an id of -1 would
// leave the session root's.
func TestOddIDs(t *testing.T) {
	root := busybox(t)
	odd := "minus:x:-1:0::/:/bin/sh\nlarge:x:4294967295:0::/:/bin/sh\nlargegroup:x:1:4294967295::/:/bin/sh\n"
	check(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(odd), 0o644))
	h := serve(t, root)
	for _, user := range []string{"minus", "large", "largegroup"} {
		_, stderr, status := run(t, h.ssh("-o", "LogLevel=INFO", "-l", user, "vm", "id"))
		if status != 255 || !strings.Contains(stderr, "out of range") {
			t.Errorf("%s: status %d, %q", user, status, stderr)
		}
	}
}

// TestKeyTypes logs in with a key of each type that ssh-keygen makes by itself.
func TestKeyTypes(t *testing.T) {
	need(t, "ssh-keygen")
	h := serve(t, scratch(t), func(s *Server) { s.Keys = nil })
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		file := filepath.Join(h.dir, kind)
		output(t, keygen(kind, file))
		text, err := os.ReadFile(file + ".pub")
		check(t, err)
		keys, err := ParseAuthorizedKeys(text)
		check(t, err)
		h.Keys = keys
		h.config(kind)
		output(t, h.ssh("vm", "/probe"))
	}
}

// TestEntering fills the places for clients that have not authenticated: the
// next one waits until one is free.
func TestEntering(t *testing.T) {
	h := serve(t, scratch(t))
	var idle []net.Conn
	for range maxEntering {
		c, err := net.Dial("tcp", h.addr.String())
		check(t, err)
		defer c.Close()
		line, err := bufio.NewReader(c).ReadString('\n')
		check(t, err)
		if line != version+"\r\n" {
			t.Fatalf("%q", line)
		}
		idle = append(idle, c)
	}
	next, err := net.Dial("tcp", h.addr.String())
	check(t, err)
	defer next.Close()
	next.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := next.Read(make([]byte, 1)); n > 0 {
		t.Error("served though all places are taken", err)
	}
	next.SetReadDeadline(time.Time{})
	idle[0].Close()
	_, err = next.Read(make([]byte, 1))
	check(t, err)
}

// TestAuthTime ends a client that does not authenticate, and not one that has.
func TestAuthTime(t *testing.T) {
	h := serve(t, busybox(t), func(s *Server) { s.authTime = time.Second })
	in := h.dial("root")
	defer in.Close()
	idle, err := net.Dial("tcp", h.addr.String())
	check(t, err)
	defer idle.Close()
	if _, err := io.Copy(io.Discard, idle); err != nil {
		t.Error(err)
	}
	session, err := in.NewSession()
	check(t, err)
	check(t, session.Run("true"))
}

func TestParseAuthorizedKeys(t *testing.T) {
	dir := t.TempDir()
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(newKey(t, filepath.Join(dir, "id")))))
	for name, c := range map[string]struct {
		text, problem string
		keys          int
	}{
		"one":            {key + "\n", "", 1},
		"comments":       {"# text\n\n" + key + " user@host\r\n  " + key + "\n#", "", 2},
		"option":         {key + "\nno-pty " + key + "\n", `line 2: key options are not supported: "no-pty"`, 0},
		"command":        {`command="a b" ` + key, `line 1: key options are not supported: "command=\"a b\""`, 0},
		"options":        {`restrict,from="1.2.3.4" ` + key, `line 1: key options are not supported: "restrict"`, 0},
		"authority":      {"cert-authority " + key, `line 1: key options are not supported: "cert-authority"`, 0},
		"garbage":        {"garbage", "line 1: not a public key of OpenSSH's format", 0},
		"cut":            {key[:40], "line 1: not a public key of OpenSSH's format", 0},
		"private":        {"-----BEGIN OPENSSH PRIVATE KEY-----\n", "line 1: a private key", 0},
		"none":           {"\n# none\n", "there is no public key", 0},
		"large":          {strings.Repeat("#\n", maxKeysText), "public keys of more than", 0},
		"known hosts":    {"host " + key, `line 1: key options are not supported: "host"`, 0},
		"second of type": {"ssh-dss AAAAB3NzaC1kc3MAAAAA", "line 1: not a public key", 0},
	} {
		keys, err := ParseAuthorizedKeys([]byte(c.text))
		if len(keys) != c.keys || (err == nil) != (c.problem == "") || err != nil && !strings.HasPrefix(err.Error(), c.problem) {
			t.Errorf("%s: %d keys, %v; want %d, %q", name, len(keys), err, c.keys, c.problem)
		}
	}
}
