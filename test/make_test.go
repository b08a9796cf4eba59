// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout copies what make needs into a git repository of its own.
func checkout(t *testing.T) string {
	t.Helper()
	need(t, "git")
	dir := scratch(t)
	output(t, exec.Command("cp", "-r", "../cmd", "../lib", "../scripts", "../completions", "../Makefile", "../go.mod", "../go.sum", dir))
	output(t, inCheckout(dir, "sh", "-c", `git init -q && git add . &&
		git -c user.name=x -c user.email=x@example.invalid commit -q -m x`))
	return dir
}

// inCheckout is a command in dir that the user's settings of git, make and go do not affect.
func inCheckout(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "SUDO_UID=", "MAKEFLAGS=", "GOFLAGS=-buildvcs=auto")
	return cmd
}

// TestMakeCommit: a tool names the commit it was built from, unless git refuses to
// read the checkout, another user's: then it is built all the same.
func TestMakeCommit(t *testing.T) {
	needRoot(t)
	dir := checkout(t)
	build := func() string {
		output(t, inCheckout(dir, "make", "bin/banger-tar"))
		return output(t, exec.Command("go", "version", "-m", filepath.Join(dir, "bin/banger-tar")))
	}
	head := output(t, inCheckout(dir, "git", "rev-parse", "HEAD"))
	if info := build(); !strings.Contains(info, "vcs.revision="+head) {
		t.Errorf("no revision %s in\n%s", head, info)
	}
	output(t, exec.Command("chown", "-R", "54321:54321", dir))
	if o := finish(t, inCheckout(dir, "git", "rev-parse", "HEAD")); o.code == 0 {
		t.Fatal("git reads another user's checkout")
	}
	if info := build(); strings.Contains(info, "vcs.revision=") {
		t.Errorf("a revision that git did not give:\n%s", info)
	}
}

// TestMakeOrder: make kernel and make boot say what to run first.
func TestMakeOrder(t *testing.T) {
	dir := checkout(t)
	published := filepath.Join(dir, "bin/demo/state/banger/images/demo")
	for _, c := range []struct{ has, target, first string }{
		{"", "kernel", "demo"},
		{"", "boot", "demo"},
		{"rootfs.ext4", "kernel", ""},
		{"rootfs.ext4", "boot", "kernel"},
		{"vmlinux", "boot", ""},
	} {
		if c.has != "" {
			output(t, exec.Command("install", "-D", "/dev/null", filepath.Join(published, c.has)))
		}
		o := finish(t, inCheckout(dir, "make", "-n", c.target))
		if c.first == "" {
			if o.code != 0 {
				t.Errorf("make %s: %s", c.target, o.stderr)
			}
			continue
		}
		if o.code == 0 || !strings.HasSuffix(o.stderr, "*** run make "+c.first+" first.  Stop.\n") || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("make %s: exit %d, %q", c.target, o.code, o.stderr)
		}
	}
}
