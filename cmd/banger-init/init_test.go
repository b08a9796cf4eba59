// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
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

// A command is found as a shell finds it, and each failure has its exit status.
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

// A dangling init is skipped: there may be another, or a shell.
func TestExecFirst(t *testing.T) {
	dir := t.TempDir()
	circle, dangling, text := dir+"/circle", dir+"/dangling", dir+"/text"
	if err := errors.Join(os.Symlink("circle", circle), os.Symlink("none", dangling), os.WriteFile(text, []byte("text"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := execFirst([]string{circle, dangling, dir + "/none"}, false); err != nil {
		t.Error(err)
	}
	if execFirst([]string{circle}, true) == nil || execFirst([]string{circle, text}, false) == nil {
		t.Error("no error for the init that is asked for, or for one that cannot be run")
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"HOME=/", "TERM=vt220", "junk=1"}, []string{"PATH=/app", "A=b=c", "EMPTY="})
	want := vars{"HOME": "/root", "TERM": "vt220", "PATH": "/app", "A": "b=c", "EMPTY": ""}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
