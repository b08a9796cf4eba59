// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A fake replaces a document. No tool may read it to its end or wait for it.
type fake struct {
	name string
	make func(path string) error
}

var fakes = []fake{
	{"1 TiB", func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Truncate(1 << 40)
	}},
	{"a link to /dev/zero", func(path string) error { return os.Symlink("/dev/zero", path) }},
	{"a link to a file", func(path string) error { return os.Symlink("/etc/passwd", path) }},
	{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o666) }},
	{"a directory", func(path string) error { return os.Mkdir(path, 0o755) }},
}

// put puts the fake in the place of a file, which may exist.
func (f fake) put(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := f.make(path); err != nil {
		t.Fatal(err)
	}
}

// frugal runs a command, and fails the test if it took more than bombMemory.
func (u user) frugal(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	report := filepath.Join(u.home, "time")
	limited := []string{"sh", "-c", `ulimit -v 4194304 && exec "$@"`, "sh", cmd.Path} // protects the host
	cmd.Args = append(append([]string{"time", "-q", "-o", report, "-f", "%M"}, limited...), cmd.Args[1:]...)
	cmd.Path = which("time") // a direct child would be charged with this process's memory
	o := finish(t, cmd)
	var kib int
	if _, err := fmt.Sscan(read(t, report), &kib); err != nil {
		t.Fatal(err)
	}
	if kib>>10 > bombMemory {
		t.Errorf("%q took %d MiB of memory, limit %d", cmd.Args, kib>>10, bombMemory)
	}
	return o
}

// TestFakeDocuments checks that every tool that reads a bundle refuses a fake
// document, names it, and neither takes much memory nor waits.
func TestFakeDocuments(t *testing.T) {
	need(t, "time", "mkfs.ext4")
	u := newUser(t, nobody)
	for _, document := range []string{"image.json", "rootfs.mtree", "config.json"} {
		for _, f := range fakes {
			t.Run(document+"/"+f.name, func(t *testing.T) {
				bundle := edit{script: "echo {} >config.json"}.bundle(t, u)
				f.put(t, filepath.Join(bundle, document))
				word := bundle + "/" + document + ": "
				if document == "config.json" {
					cmd := u.command("banger-mkext4", "--size=16M", "-o", filepath.Join(u.place(t), "x.ext4"), bundle)
					u.frugal(t, cmd).failed(t, []int{65}, "banger-mkext4", word)
					return
				}
				u.frugal(t, u.command("banger-mkext4", bundle)).failed(t, []int{65}, "banger-mkext4", word)
				u.frugal(t, u.command("banger-tar", bundle)).failed(t, []int{65}, "banger-tar", word)
				if names := list(t, bundle); len(names) != 4 {
					t.Errorf("left behind: %q", names)
				}
			})
		}
	}
}

// TestFakeTree checks that a bundle's rootfs that is a symlink is refused.
func TestFakeTree(t *testing.T) {
	need(t, "mkfs.ext4")
	u := newUser(t, nobody)
	bundle := edit{script: "mv rootfs elsewhere; ln -s elsewhere rootfs"}.bundle(t, u)
	for _, cmd := range [][]string{
		{"banger-mkext4", bundle}, {"banger-mkext4", "--populate=mkfs", bundle}, {"banger-tar", bundle},
		{"banger-kernel", "add", "k", bundle},
	} {
		finish(t, u.command(cmd[0], cmd[1:]...)).failed(t, []int{65}, cmd[0], bundle+"/rootfs: not a directory")
	}
}

// TestFakeCompanion checks that banger-mkext4 does not overwrite a fake where
// a document of its ext4 file goes.
func TestFakeCompanion(t *testing.T) {
	need(t, "time", "mkfs.ext4")
	u := newUser(t, nobody)
	bundle := edit{script: "echo {} >config.json"}.bundle(t, u)
	for _, document := range []string{"image.json", "config.json", "x.ext4.json"} {
		for _, f := range fakes {
			t.Run(document+"/"+f.name, func(t *testing.T) {
				place := u.place(t)
				f.put(t, filepath.Join(place, document))
				o := u.frugal(t, u.command("banger-mkext4", "--size=16M", "-o", filepath.Join(place, "x.ext4"), bundle))
				o.failed(t, []int{73}, "banger-mkext4", place+"/"+document+": exists, not made by banger")
			})
		}
	}
}

// TestFakeRecords checks that list names a bad record and lists the others.
func TestFakeRecords(t *testing.T) {
	need(t, "time")
	u := newUser(t, nobody)
	for _, kind := range []struct{ tool, dir, record, good, word string }{
		{"banger-image", "images", "image.json", `{"version":1,"ext4":{"size":4096}}`, "good"},
		{"banger-kernel", "kernels", "kernel.json", `{"version":1,"arch":"amd64","release":"6.1"}`, "good"},
	} {
		dir := filepath.Join(u.home, ".local/state/banger", kind.dir)
		record := func(name, text string) {
			t.Helper()
			output(t, u.command("sh", "-euc", `mkdir -p "$1" && printf %s "$3" >"$1/$2"`, "sh", filepath.Join(dir, name), kind.record, text))
		}
		record("good", kind.good)
		record("other", kind.good)
		record("bad", kind.good)
		for _, f := range append(fakes, fake{"no JSON", func(path string) error { return os.WriteFile(path, []byte("{"), 0o644) }}) {
			t.Run(kind.dir+"/"+f.name, func(t *testing.T) {
				f.put(t, filepath.Join(dir, "bad", kind.record))
				for _, flags := range [][]string{{"list"}, {"list", "--json"}} {
					o := u.frugal(t, u.command(kind.tool, flags...))
					if o.code != 65 || !strings.Contains(o.stdout, "good") || !strings.Contains(o.stdout, "other") || strings.Contains(o.stdout, "bad") {
						t.Errorf("exit %d, %s", o.code, o.stdout)
					}
					oneMessage(t, o.stderr, kind.tool+": warning: ", filepath.Join(dir, "bad", kind.record))
				}
			})
		}
		output(t, u.command(kind.tool, "rm", "bad"))
		record("not a name", "")
		if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666); err != nil {
			t.Fatal(err)
		}
		o := finish(t, u.command(kind.tool, "list"))
		if o.code != 0 || !strings.Contains(o.stdout, "good") || strings.Count(o.stderr, "warning: ") != 2 {
			t.Errorf("with entries that are no items: exit %d, %s%s", o.code, o.stdout, o.stderr)
		}
	}
}

// TestEndlessLine checks that an endless input line is an error, after the
// lines before it were processed; and that several lines are an error where
// one output is named.
func TestEndlessLine(t *testing.T) {
	need(t, "time", "mkfs.ext4")
	u := newUser(t, nobody)
	for _, tool := range []string{"banger-fetch", "banger-flatten", "banger-mkext4", "banger-verify", "banger-register", "banger-tar", "banger-kernel add k"} {
		cmd := u.command("sh", "-c", tool+" </dev/zero")
		u.frugal(t, cmd).failed(t, []int{65}, strings.Fields(tool)[0]+": standard input: line 1: too long (limit ")
	}
	bundle := edit{}.bundle(t, u)
	o := u.frugal(t, u.command("sh", "-c", `(echo "$1"; cat /dev/zero) | banger-mkext4 --size 16M`, "sh", bundle))
	if o.code != 65 || o.stdout != bundle+"/rootfs.ext4\n" {
		t.Errorf("exit %d, %s", o.code, o.stdout)
	}
	oneMessage(t, strings.ReplaceAll(o.stderr, "cat: write error: Broken pipe\n", ""), "banger-mkext4: standard input: line 2: too long (limit ")
	for _, tool := range []string{"banger-flatten -o x", "banger-mkext4 -o x", "banger-register --name x", "banger-tar", "banger-kernel add k"} {
		o := u.frugal(t, u.command("sh", "-c", "yes | "+tool+"| cat"))
		if o.stdout != "" || !strings.Contains(o.stderr, "one output for more than one image") {
			t.Errorf("%s: %s%s", tool, o.stdout, o.stderr)
		}
	}
}

// TestManifestLine checks that an overlong manifest line is named by number.
func TestManifestLine(t *testing.T) {
	need(t, "time", "mkfs.ext4")
	u := newUser(t, nobody)
	bundle := edit{script: "truncate -s 100M rootfs.mtree"}.bundle(t, u)
	o := u.frugal(t, u.command("banger-mkext4", bundle))
	o.failed(t, []int{65}, "banger-mkext4", "rootfs.mtree: line 12: too long (limit ")
}

// TestFakeConfiguration checks that a kernel or kernel configuration that is
// not a file, or too large, is an error.
func TestFakeConfiguration(t *testing.T) {
	need(t, "time", "mkfs.ext4")
	u := newUser(t, nobody)
	bundle := edit{}.bundle(t, u)
	image := output(t, u.command("sh", "-euc", `banger-mkext4 --size 16M "$1" | banger-register --name x --kernel "$2"`,
		"sh", bundle, filepath.Join(kernel(t, u.place(t)), "vmlinux")))
	for _, part := range []string{"vmlinux.config", "vmlinux", "config.json"} {
		for _, f := range fakes {
			if part != "config.json" && strings.HasPrefix(f.name, "a link to a file") {
				continue
			}
			t.Run(part+"/"+f.name, func(t *testing.T) {
				path := filepath.Join(image, part)
				saved := path + ".saved"
				if err := os.Rename(path, saved); err != nil && part != "config.json" {
					t.Fatal(err)
				}
				f.put(t, path)
				defer func() { os.RemoveAll(path); os.Rename(saved, path) }()
				cmd := u.command("sh", "-c", "exec banger-image initrd x -- /x >/dev/null")
				u.frugal(t, cmd).failed(t, []int{65}, "banger-image")
			})
		}
	}
}
