// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
	"banger/lib/sshd"
)

func TestParseCmdline(t *testing.T) {
	for line, want := range map[string]cmdline{
		"":                             {},
		"root=/dev/vda rw\n":           {"root": "/dev/vda", "rw": ""},
		"a=1  a=2\tb":                  {"a": "2", "b": ""},
		`rootflags="a b,c=d" ro`:       {"rootflags": "a b,c=d", "ro": ""},
		`"init=/my init" x=y=z`:        {"init": "/my init", "x": "y=z"},
		"root=/dev/vdb -- root=/x a=b": {"root": "/dev/vdb"},
	} {
		if got := parseCmdline(line); !maps.Equal(got, want) {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// A command is found as a shell finds it, and what is wrong has its status.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/tool": 0o755, "b/tool": 0o755, "a/data": 0o644, "b/data": 0o755, "a/only": 0o600} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	path := dir + "/none:" + dir + "/a:" + dir + "/b"
	for _, c := range []struct {
		command, in, want string
		status            int
	}{
		{"tool", "", dir + "/a/tool", 0}, {"data", "", dir + "/b/data", 0},
		{"nothing", "", "", notFound}, {"only", "", "", notExecutable},
		{dir + "/b/tool", "", dir + "/b/tool", 0}, {dir + "/a", "", "", notExecutable},
		{"./tool", dir + "/a", dir + "/a/tool", 0}, {"b/tool", dir, dir + "/b/tool", 0}, {"b/tool", "", "", notFound},
	} {
		got, status, err := lookup(c.command, c.in, path)
		if got != c.want || status != c.status || (err == nil) != (c.status == 0) {
			t.Errorf("%s in %q: %q, %d, %v", c.command, c.in, got, status, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := sshd.MergeEnv(usual("/srv", "box", true, []string{"HOME=/", "TERM=vt220"}), []string{"PATH=/app", "A=b=c", "=x", "junk"}, []string{"A=d", "EMPTY="})
	if want := []string{"PATH=/app", "HOME=/srv", "HOSTNAME=box", "TERM=vt220", "A=d", "EMPTY="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := usual("/", "x", false, []string{"TERM=vt220"}); slices.Contains(got, "TERM=vt220") {
		t.Errorf("a TERM without a terminal: %q", got)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain äöü": "plain äöü", "\x1b[2J\r\n": `\x1b[2J\r\n`, "a\x9b\xff": `a\x9b\xff`, "\u009b\u202e": `\u009b\u202e`,
		strings.Repeat("x", maxText+1): strings.Repeat("x", maxText) + "...",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestStopSignal(t *testing.T) {
	for name, want := range map[string]unix.Signal{
		"": 15, "SIGTERM": 15, "TERM": 15, "sigquit": 3, "9": 9, "SIGRTMIN": 34, "RTMIN+3": 37, "SIGRTMAX-1": 63, "64": 64, "SIGWINCH": 28,
		"SIGRTMIN+31": 0, "SIGRTMAX+1": 0, "RTMIN-1": 0, "RTMIN3": 0, "0": 0, "65": 0, "-1": 0, "SIG": 0, "ghost": 0, "SIGSIGTERM": 0,
	} {
		if got, err := stopSignal(name); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", name, got, err, want)
		}
	}
}

// What an initrd's documents hold is read, and one that is bad is named.
func TestReadDocuments(t *testing.T) {
	dir := t.TempDir()
	m := new(machine)
	if err := m.read(dir); err != nil {
		t.Errorf("without any: %v", err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(guest.ConfigFile, `{"config":{"User":"web","StopSignal":"SIGINT"}}`)
	write(guest.MachineFile, `{"args":["x"],"ports":true}`)
	if err := m.read(dir); err != nil || m.config.User != "web" || !m.wishes.Ports || len(m.wishes.Args) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	for name, text := range map[string]string{guest.MachineFile: `{`, guest.ConfigFile: `{"config":{"User":1}}`} {
		write(name, text)
		if err := m.read(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		os.Remove(filepath.Join(dir, name))
	}
	write(guest.ConfigFile, strings.Repeat(" ", 5<<20))
	if err := m.read(dir); err == nil || !strings.Contains(err.Error(), guest.ConfigFile) {
		t.Errorf("five megabytes: %v", err)
	}
}

// Symlinks are followed within the root; those that lead nowhere are not there.
func TestDirRoot(t *testing.T) {
	dir := t.TempDir()
	root := dirRoot(dir)
	for name, content := range map[string]string{
		"usr/sbin/init": "#!x", "sbin": "-> usr/sbin", "lib/init": "-> /sbin/../sbin/init", "up": "-> ../../../../usr/sbin/init",
		"a": "-> b", "b": "-> a", "gone": "-> /run/none/x", "etc/passwd": "root\n", "through": "-> etc/passwd/x",
	} {
		if err := place(filepath.Join(dir, name), content); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"/sbin/init": "/usr/sbin/init", "/lib/init": "/usr/sbin/init", "/up": "/usr/sbin/init", "/etc/passwd": "/etc/passwd", "/": "/",
		"/a": "", "/gone": "", "/through": "", "/etc/passwd/x": "", "/none": "",
		"/none/../sbin/init": "", strings.Repeat("/.", 2048) + "/etc": "", "/etc/passwd/..": "", "/etc/passwd/../passwd": "", "/etc/passwd/": "", "/etc/": "/etc", "/etc/..": "/", "/etc/./passwd": "/etc/passwd", "/" + strings.Repeat("x", 300): "",
	} {
		got, _, err := root.Resolve(name)
		if got != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if text, err := root.ReadFile("/etc/passwd", 2); string(text) != "ro" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"/a", "/gone", "/through"} {
		if _, err := root.ReadFile(name, 2); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := root.ReadFile("/etc", 2); err == nil {
		t.Error("read a directory")
	}
}
