// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// FuzzPayloads parses what clients send with requests and to open channels.
func FuzzPayloads(f *testing.F) {
	f.Add(ssh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{"xterm", 80, 24, 0, 0, "\x01\x00\x00\x00\x03\x5a\x00\x00\x00\x01\x00"}))
	f.Add(ssh.Marshal(size{80, 24, 0, 0}))
	f.Add(ssh.Marshal(struct{ Name, Value string }{"NAME", "value"}))
	f.Add(ssh.Marshal(tcpAddress{"localhost", 0}))
	f.Add(ssh.Marshal(struct {
		Host string
		Port uint32
		From string
		At   uint32
	}{"::1", 80, "127.0.0.1", 1}))
	f.Add(ssh.Marshal(struct {
		Path, Reserved string
		Number         uint32
	}{"/run/socket", "", 0}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if r, ok := parseTerminalRequest(payload); ok {
			var modes unix.Termios
			for _, m := range r.modes {
				m.set(&modes)
			}
			if len(r.modes)*5 > len(payload) || len(r.kind) > maxKind || strings.Contains(r.kind, "\x00") {
				t.Error(r)
			}
		}
		parseSize(payload)
		parseText(payload)
		parseDirectUnix(payload)
		if to, ok := parseDirectTCP(payload); ok && (to.Port > 65535 || len(to.Host) > maxHost) {
			t.Error(to)
		}
		if at, ok := parseTCPForward(payload); ok && (at.Port > 65535 || len(at.Host) > maxHost) {
			t.Error(at)
		}
		var v variables
		for range 3 {
			v.add(payload)
		}
		for _, pair := range v.pairs {
			if name, _, ok := strings.Cut(pair, "="); !ok || name == "" || strings.Contains(pair, "\x00") {
				t.Errorf("%q", pair)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, line := range []string{"", "a b", `a 'b c' "d \" e" f\ g ''`, "a\\\nb", "a $b", "a;b", "A=b c", "'", "\n\na\n"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if (err == nil) != (len(words) > 0) || len(strings.Join(words, "")) > len(line) {
			t.Fatalf("%q: %q, %v", line, words, err)
		}
		if err != nil {
			return
		}
		// Quoted, they are the same words.
		for i, w := range words {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := splitWords(strings.Join(words, " "))
		if err != nil {
			t.Fatalf("%q: %q: %v", line, words, err)
		}
		for i, w := range again {
			if words[i] != "'"+strings.ReplaceAll(w, "'", `'\''`)+"'" {
				t.Fatalf("%q: %q, then %q", line, words, again)
			}
		}
	})
}

func FuzzAuthorizedKeys(f *testing.F) {
	f.Add([]byte("# text\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBHlWWUZaZVO3rR8hCQXDqxYl3dTJyr5TQH+KU4Tq1Sq name\n"))
	f.Add([]byte(`command="a,b c",no-pty ssh-rsa AAAA`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ParseAuthorizedKeys(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatal(keys, err)
		}
		var again []byte
		for _, k := range keys {
			again = append(again, ssh.MarshalAuthorizedKey(k)...)
		}
		if len(keys) == 0 {
			return
		}
		if same, err := ParseAuthorizedKeys(again); err != nil || len(same) != len(keys) {
			t.Fatal(err)
		}
	})
}

func FuzzAccounts(f *testing.F) {
	f.Add("user", []byte(passwd), []byte(group))
	f.Add("0", []byte("x"), []byte(":::"))
	f.Fuzz(func(t *testing.T, name string, passwd, group []byte) {
		a, err := FindAccount(name, bytes.NewReader(passwd), bytes.NewReader(group))
		if err == nil && a.check() == nil && (a.UID < 0 || a.GID < 0) {
			t.Error(a)
		}
	})
}

// TestWords compares words with those of sh, where splitWords splits them.
func TestWords(t *testing.T) {
	need(t, "dash")
	var split []string
	parts := []string{"a", " ", "'", `"`, `\`, "\n", "$", ";", "=", "\t", "#", "b c", "''", "\xff", "{", "!"}
	var lines []string
	for i := range 1 << 12 {
		line := "x "
		for n := i; n > 0; n /= len(parts) {
			line += parts[n%len(parts)]
		}
		lines = append(lines, line)
	}
	var want []string
	for _, line := range lines {
		words, err := splitWords(line)
		if err != nil {
			continue
		}
		split = append(split, line)
		want = append(want, strings.Join(words[1:], "|")+"|\n")
	}
	c := exec.Command("dash", "-c", `x() { [ $# -gt 0 ] && printf '%s|' "$@" || printf '|'; printf '\n'; }; for line do eval "$line"; done`, "sh")
	c.Args = append(c.Args, split...)
	got := output(t, c)
	for i, text := range want {
		rest, ok := strings.CutPrefix(got, text)
		if !ok {
			t.Fatalf("%q: sh has %.40q; want %q", split[i], got, text)
		}
		got = rest
	}
	if len(split) < 500 {
		t.Errorf("only %d lines were split", len(split))
	}
}

func TestWordsRefused(t *testing.T) {
	for _, line := range []string{
		"", " ", "\n", "a|b", "a&", "a;b", "a>b", "a<b", "(a)", "a $b", `a "$b"`, "a `b`", "a *", "a ?", "a [b]", "a\nb",
		"a #b", "#a", "~", "a ~b", "A=b", "A=b c", "_a1=", "a 'b", `a "b`, "a \x00", "a 'b\x00'", `a \` + "\x00",
	} {
		if words, err := splitWords(line); err == nil {
			t.Errorf("%q: %q", line, words)
		}
	}
	for _, line := range []string{"1a=b", "a b=c", "'A'=b", "a#b a~b a=~b", "a]b {a} !"} {
		if _, err := splitWords(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}
