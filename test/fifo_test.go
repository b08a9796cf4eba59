// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFIFORefused checks that a FIFO in place of a file or directory is
// refused at once, though it has no writer.
func TestFIFORefused(t *testing.T) {
	need(t, "mkfs.ext4")
	u := newUser(t, nobody)
	place := u.place(t)
	fifo := u.fifo(t, place, "fifo")
	bundle := edit{}.bundle(t, u)
	image := output(t, u.command("banger-mkext4", "--size=16M", bundle))
	vmlinux := filepath.Join(kernel(t, u.place(t)), "vmlinux")
	tree := filepath.Dir(vmlinux)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"banger-flatten", fifo}, 66},
		{[]string{"banger-flatten", "-o", filepath.Join(fifo, "x"), fifo}, 66},
		{[]string{"banger-mkext4", fifo}, 66},
		{[]string{"banger-mkext4", "-o", fifo, tree}, 73},
		{[]string{"banger-mkext4", "-f", "-o", fifo, tree}, 73},
		{[]string{"banger-mkext4", "-o", filepath.Join(fifo, "x"), tree}, 73},
		{[]string{"banger-tar", fifo}, 66},
		{[]string{"banger-verify", fifo}, 66},
		{[]string{"banger-verify", "--against", fifo, image}, 66},
		{[]string{"banger-register", "--name", "x", fifo}, 65},
		{[]string{"banger-register", "--name", "x", "--kernel", fifo, image}, 65},
		{[]string{"banger-register", "--name", "x", "--kernel", vmlinux, "--initrd", fifo, image}, 65},
		{[]string{"banger-register", "--name", "x", "--kernel", vmlinux, "--modules", fifo, image}, 65},
	} {
		t.Run(fmt.Sprint(c.args[:len(c.args)-1]), func(t *testing.T) {
			finish(t, u.command(c.args[0], c.args[1:]...)).failed(t, []int{c.code}, c.args[0])
		})
	}
	if names := list(t, place); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
	noLeftovers(t, u)
}

// TestFIFOInside checks that a FIFO in place of a file of a layout, a kernel
// or an archive is refused at once.
func TestFIFOInside(t *testing.T) {
	u := newUser(t, nobody)
	for _, name := range []string{"oci-layout", "index.json"} {
		img := rawImage(t, filepath.Join(u.place(t), "layout"))
		os.Remove(filepath.Join(img.dir, name))
		u.fifo(t, img.dir, name)
		finish(t, u.command("banger-flatten", "-o", "x", img.dir)).failed(t, []int{65}, "banger-flatten", name+": not a regular file")
	}
	dir := kernel(t, u.place(t))
	u.fifo(t, dir, "config")
	finish(t, u.command("banger-kernel", "add", "k", dir)).failed(t, []int{65}, "banger-kernel", "config: ")
	dir = kernel(t, u.place(t))
	output(t, u.command("banger-kernel", "add", "k", dir))
	u.fifo(t, u.home, "k.tar.zst")
	finish(t, u.command("banger-kernel", "pack", "-f", "k")).failed(t, []int{73}, "banger-kernel", "k.tar.zst: exists, not made by banger")
	noLeftovers(t, u)
}

// TestFIFOSignal checks that, where a FIFO is accepted, the first signal ends
// the wait for a writer and the wait for data.
func TestFIFOSignal(t *testing.T) {
	u := newUser(t, nobody)
	fifo := u.fifo(t, u.place(t), "fifo")
	for _, args := range [][]string{
		{"banger-kernel", "pull", "--catalog", fifo, "k"},
		{"banger-kernel", "list", "--available", "--catalog", fifo},
		{"banger-kernel", "add", "k", fifo},
	} {
		for _, written := range []string{"no writer", "nothing", "half"} {
			t.Run(args[1]+"/"+written, func(t *testing.T) {
				cmd := u.command(args[0], args[1:]...)
				end := begin(t, cmd)
				waitOpen(t, cmd.Process.Pid, fifo)
				if written != "no writer" {
					w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer w.Close()
					if _, err := w.WriteString(map[string]string{"half": `{"version":`}[written]); err != nil {
						t.Fatal(err)
					}
				}
				syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
				o := end()
				if o.code != 143 || cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() || o.stdout+o.stderr != "" {
					t.Errorf("%v, %s%s", cmd.ProcessState, o.stdout, o.stderr)
				}
			})
		}
	}
	u.noKernels(t)
}

// TestFIFORead checks that a shell's <(command) and /dev/stdin are read.
func TestFIFORead(t *testing.T) {
	need(t, "bash", "jq")
	u := newUser(t, nobody)
	dir := kernel(t, u.place(t))
	for name, script := range map[string]string{
		"a process": `banger-kernel add "$2" <(tar -C "$1" -c vmlinux initrd.img modules)`,
		"stdin":     `tar -C "$1" -c vmlinux initrd.img modules | banger-kernel add "$2" /dev/stdin`,
		"a named":   `mkfifo named; tar -C "$1" -c vmlinux initrd.img modules >named & banger-kernel add "$2" named`,
		"a catalog": `banger-kernel add p "$1" && banger-kernel pack p >entry && jq -s '{version: 1, entries: .}' entry >c &&
			banger-kernel rm p && sed -i "s,p.tar.zst,$PWD/&," c && banger-kernel pull --catalog <(cat c) p`,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := u.command("bash", "-euc", script, "bash", dir, "k"+strconv.Itoa(len(name)))
			output(t, cmd)
		})
	}
	noLeftovers(t, u)
}

// fifo creates a FIFO that the user can open.
func (u user) fifo(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// waitOpen waits until a process has a file open.
func waitOpen(t *testing.T, pid int, path string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, f := range files {
			if link, err := os.Readlink(f); err == nil && link == path {
				return
			}
		}
	}
	t.Fatalf("%s: not opened", path)
}
