// SPDX-License-Identifier: Apache-2.0

package test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hintLine is a line of advice on standard error.
var hintLine = regexp.MustCompile(`(?m)^hint: (.*)$`)

// hintsOf returns the hints in what a command said.
func hintsOf(stderr string) (all []string) {
	for _, found := range hintLine.FindAllStringSubmatch(stderr, -1) {
		all = append(all, found[1])
	}
	return all
}

// TestRegisterHints checks that the hints of banger-register and banger-image lint
// are commands that give the image what it lacks.
func TestRegisterHints(t *testing.T) {
	need(t, "mkfs.ext4")
	u := newUser(t, nobody)
	u.home = filepath.Join(u.home, "a home")
	cmd := u.command("mkdir", "-p", u.home)
	cmd.Dir = "/"
	output(t, cmd)
	output(t, u.command("sh", "-c", "mkdir -p tree/bin tree/dev tree/proc tree/sys tree/run tree/tmp"))
	write := u.command("sh", "-c", "cat >tree/bin/sh && chmod 755 tree/bin/sh")
	write.Stdin = strings.NewReader(string(elfHeader(0)))
	output(t, write)
	output(t, u.command("banger-mkext4", "--size=16M", "tree"))

	// Without a kernel to name, it is Debian's that is added.
	o := finish(t, u.command("banger-register", "--name=x", "tree.ext4"))
	const again = `banger register -f --name x --kernel-ref `
	if hints := hintsOf(o.stderr); o.code != 0 || len(hints) != 1 || !strings.HasPrefix(hints[0], "banger kernel debian debian && "+again+"debian ") {
		t.Fatalf("%+v", o)
	}

	// The one that lacks a driver is not named again.
	small := kernel(t, filepath.Join(u.home, "files"))
	output(t, u.command("banger-kernel", "add", "good", small))
	o = finish(t, u.command("banger-image", "lint", "x"))
	if o.code != 65 || !strings.Contains(o.stdout, "\t"+again+"good ") || strings.Contains(o.stdout, "\tbanger boot") {
		t.Errorf("%+v", o)
	}
	o = finish(t, u.command("banger-register", "-f", "--name=x", "tree.ext4"))
	for i, hint := range hintsOf(o.stderr) {
		if i == 0 && !strings.HasPrefix(hint, again+"good ") {
			t.Errorf("%q", hint)
		}
		o = finish(t, u.command("sh", "-c", hint))
		if o.code != 0 || strings.Contains(o.stderr, "kernel") {
			t.Errorf("%s: %+v", hint, o)
		}
	}
	// Nothing is left: /bin/sh runs.
	if o.stderr != "" {
		t.Errorf("%+v", o)
	}
	o = finish(t, u.command("banger-image", "lint", "x"))
	if want := "x: runs: /bin/sh -i as root: no init and no command: a shell\n"; o.code != 0 || o.stdout != want {
		t.Errorf("%+v, want %s", o, want)
	}
	o = finish(t, u.command("banger-image", "initrd", "x", "--", "/bin/sh", "-c", "a command"))
	if o.code != 0 || !strings.Contains(o.stdout, "a command") {
		t.Errorf("exit status %d: %s", o.code, o.stderr)
	}
}

// TestKernelHints checks that the hint of banger-kernel and banger-image for an
// unknown name is a command that works.
func TestKernelHints(t *testing.T) {
	u := newUser(t, nobody)
	for _, args := range [][]string{
		{"banger-image", "show", "none"}, {"banger-kernel", "show", "none"}, {"banger-kernel", "rm", "none"},
	} {
		o := finish(t, u.command(args[0], args[1:]...))
		hints := hintsOf(o.stderr)
		if o.code != 66 || len(hints) != 1 {
			t.Errorf("%q: %+v", args, o)
			continue
		}
		if o := finish(t, u.command("sh", "-c", hints[0])); o.code != 0 {
			t.Errorf("%s: %+v", hints[0], o)
		}
	}
	u.writeCatalog(t, `{"version":1,"entries":[{"name":"k","arch":"amd64","kernel_version":"6.1","tarball_url":"k.tar.zst","size_bytes":1,"tarball_sha256":"`+strings.Repeat("0", 64)+`"}]}`)
	output(t, u.command("cp", ".config/banger/kernels.json", "."))
	for _, args := range [][]string{{"pull", "none"}, {"pull", "--catalog=kernels.json", "none"}} {
		o := finish(t, u.command("banger-kernel", args...))
		if hints := hintsOf(o.stderr); o.code != 66 || len(hints) != 1 || finish(t, u.command("sh", "-c", hints[0])).code != 0 {
			t.Errorf("%q: %+v", args, o)
		}
	}
}
