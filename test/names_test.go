// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// misreadNames are names that some program misreads: e2fsprogs for I/O
// options, mke2fs -d for a tar on standard input, others for options.
var misreadNames = []string{"q?offset=4096", "q?", "a b", "-x", "-", "%s%n", "a,b", "a=b", "[a]*", "LABEL=x", "too small", `q"'\`, "\xff"}

// TestOddNames checks that the image of a directory with an odd name, or in a
// file with one, is at the right path, whole, and holds the directory.
func TestOddNames(t *testing.T) {
	need(t, "mkfs.ext4", "e2fsck", "debugfs")
	u := newUser(t, nobody)
	for _, populate := range []string{"mkfs", "direct"} {
		for _, name := range misreadNames {
			t.Run(populate+"/"+name, func(t *testing.T) {
				place := u.place(t)
				in := func(script string) string {
					cmd := u.command("sh", "-euc", script, "sh", name, populate)
					cmd.Dir = place
					return output(t, cmd)
				}
				in(`mkdir -p out "./$1" && echo text >"./$1/file"`)
				for _, how := range []string{`"$1"`, `"$PWD/$1"`} { // the second over the first
					got := in(`printf '%s\n' ` + how + ` | banger-mkext4 -f --size=16M --populate="$2"`)
					if filepath.Base(got) != name+".ext4" {
						t.Errorf("%s: printed %q", how, got)
					}
				}
				holds(t, filepath.Join(place, name+".ext4"))
				if got := in(`cd out && banger-mkext4 --size=16M --populate="$2" --output="$1" -- "../$1"`); got != name {
					t.Errorf("printed %q", got)
				}
				holds(t, filepath.Join(place, "out", name))
				made := append(list(t, place), list(t, filepath.Join(place, "out"))...)
				want := []string{name, name + ".ext4", name + ".ext4.json", "out", name, name + ".json"}
				slices.Sort(made)
				slices.Sort(want)
				if !slices.Equal(made, want) {
					t.Errorf("made %q, want %q", made, want)
				}
			})
		}
	}
	u.passesNoPaths(t)
	for _, args := range [][]string{{"-o", "a\nb", "."}, {"a\nb"}} {
		o := finish(t, u.command("banger-mkext4", args...))
		if o.code == 0 || o.stdout != "\n" && o.stdout != "" {
			t.Errorf("%q: exit %d, %q", args, o.code, o.stdout)
		}
	}
}

// passesNoPaths checks that no argument of mkfs.ext4 is a path of the user's,
// which some versions misread.
func (u user) passesNoPaths(t *testing.T) {
	t.Helper()
	place := u.place(t)
	log := filepath.Join(u.home, "log")
	script := `printf '%s\n' "$@" >>` + log + `; exec ` + which("mkfs.ext4") + ` "$@"`
	for _, populate := range []string{"mkfs", "direct"} {
		dir := filepath.Join(place, populate+"-odd")
		output(t, u.command("sh", "-euc", `mkdir "$1" && echo text >"$1/file"`, "sh", dir))
		cmd := u.withProgram(t, u.command("banger-mkext4", "--size=16M", "--populate="+populate, dir), "mkfs.ext4", script)
		output(t, cmd)
		holds(t, dir+".ext4")
	}
	if args := read(t, log); !strings.Contains(args, "-d\n.\n") || strings.Contains(args, place) || strings.Contains(args, "odd") {
		t.Errorf("mkfs.ext4 was called with %s", args)
	}
}

// holds checks an image with e2fsck and its /file with debugfs.
func holds(t *testing.T, path string) {
	t.Helper()
	image := filepath.Join(scratch(t), "image")
	if err := os.Link(path, image); err != nil {
		output(t, exec.Command("cp", "--sparse=always", "--", path, image))
	}
	output(t, exec.Command(which("e2fsck"), "-fn", image))
	if got := output(t, exec.Command(which("debugfs"), "-R", "cat /file", image)); got != "text" {
		t.Errorf("%s: /file is %q", path, got)
	}
}

// TestBootOddNames checks that banger boot creates the right disk, whatever it
// or TMPDIR is called.
func TestBootOddNames(t *testing.T) {
	t.Parallel()
	need(t, "mkfs.ext4", "e2fsck", "debugfs")
	u := newUser(t, nobody)
	dir := kernel(t, u.place(t))
	output(t, u.command("sh", "-euc", `mkdir root && echo text >root/file && banger-mkext4 --size 32M root &&
		banger-register --name app --kernel "$1/vmlinux" --initrd "$1/initrd.img" root.ext4`, "sh", dir))
	for _, name := range []string{"q?offset=4096", "q?", "a b", "-x", "%s%n", "LABEL=x"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(u.home, "in "+name)
			output(t, u.command("mkdir", dir))
			disk := filepath.Join(dir, name)
			output(t, withEnv(u.command("banger", "boot", "--keep="+disk, "--size=64M", "--print=firecracker", "app"), "TMPDIR="+dir))
			if names := list(t, dir); !slices.Equal(names, []string{name}) {
				t.Errorf("made %q", names)
			}
			holds(t, disk)
			if info, err := os.Stat(disk); err != nil || info.Size() != 64<<20 {
				t.Errorf("not grown to 64M: %v, %v", info, err)
			}
		})
	}
}
