// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReachesNothing flattens archives that try to leave the bundle, as root
// and as an ordinary user, next to canary files that the user can change. The
// canaries must not change, and no system call may have a path of an archive.
func TestReachesNothing(t *testing.T) {
	needRoot(t)
	need(t, "strace")
	for _, id := range []uint32{0, nobody} {
		harmless := harmlessPaths(t, id)
		for _, s := range hostileStacks {
			t.Run(fmt.Sprintf("uid %d/%s", id, s.name), func(t *testing.T) {
				h := newHost(t, id)
				if code := h.traced(s.layers(h.home), harmless); code != s.code {
					t.Errorf("exit status %d, want %d", code, s.code)
				}
				for name, data := range s.holds {
					if got := read(t, filepath.Join(h.bundle(), "rootfs", name)); got != data {
						t.Errorf("rootfs/%[2]s is %[1]q, want %[3]q", got, name, data)
					}
				}
			})
		}
	}
}

// TestReachesNothingRandom does so with random stacks, and traces some.
func TestReachesNothingRandom(t *testing.T) {
	needRoot(t)
	need(t, "strace")
	for _, id := range []uint32{0, nobody} {
		t.Run(fmt.Sprint("uid ", id), func(t *testing.T) {
			h, harmless, made := newHost(t, id), harmlessPaths(t, id), 0
			const stacks = 150
			for seed := range uint64(stacks) {
				layers, code := randomStack(rand.New(rand.NewPCG(seed, uint64(id))), h.home), 0
				if seed%30 == 0 {
					code = h.traced(layers, harmless)
				} else {
					code = h.flatten(layers)
				}
				if code == 0 {
					made++
				}
				if t.Failed() {
					t.Fatal("seed ", seed)
				}
				h.clear()
			}
			t.Logf("%d of %d stacks were flattened", made, stacks)
			if made < stacks/5 || made > stacks*4/5 {
				t.Errorf("%d of %d stacks were flattened, want some of both", made, stacks)
			}
		})
	}
}

// A host is a user's home with canaries, owned by the user, wherever a
// bundle's ".." would lead on the host.
type host struct {
	user
	t      *testing.T
	before map[string]string
}

// out is the directory of bundles, below the home.
const out = "x/y"

func newHost(t *testing.T, id uint32) *host {
	t.Helper()
	h := &host{user: newUser(t, id), t: t}
	for _, dir := range []string{".", "x", out} {
		h.canary(filepath.Join(h.home, dir, "canary"))
	}
	output(t, exec.Command("chown", "-hR", fmt.Sprint(id, ":", id), h.home))
	h.before = h.canaries()
	return h
}

func (h *host) canary(dir string) {
	h.t.Helper()
	err := os.MkdirAll(filepath.Join(dir, "dir"), 0o755)
	for _, name := range []string{"file", "dir/file", "1"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte("canary"), 0o640)
		}
	}
	if err == nil {
		err = os.Symlink("file", filepath.Join(dir, "link"))
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) bundle() string { return filepath.Join(h.home, out, "bundle") }

// canaries describes every file in the home, but for what a run may create,
// with all of stat(2) except atime.
func (h *host) canaries() map[string]string {
	h.t.Helper()
	found := map[string]string{}
	walk(h.t, h.home, func(path string, e os.DirEntry) error {
		if path == filepath.Join(h.home, "layout") || path == h.bundle() {
			return skip(e)
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if path == h.home || path == filepath.Join(h.home, out) {
			st = unix.Stat_t{Mode: st.Mode} // names come and go here
		}
		st.Atim = unix.Timespec{}
		found[path] = fmt.Sprintf("%+v", st)
		if e.Type().IsRegular() {
			found[path] += read(h.t, path)
		}
		return nil
	})
	return found
}

// flatten flattens an image of the archives, checks the canaries and the
// bundle, and returns the exit status. before is a command that runs
// banger-flatten.
func (h *host) flatten(archives [][]byte, before ...string) int {
	h.t.Helper()
	var layers []rawLayer
	for _, a := range archives {
		layers = append(layers, rawArchive(a))
	}
	img := rawImage(h.t, filepath.Join(h.home, "layout"), layers...)
	command := append(before, "banger-flatten", "-o", h.bundle(), img.String())
	o := finish(h.t, h.command(command[0], command[1:]...))
	if o.code != 0 && o.code != 65 {
		h.t.Errorf("exit status %d\n%.300s", o.code, o.stderr)
	}
	if now := h.canaries(); fmt.Sprint(now) != fmt.Sprint(h.before) {
		for _, path := range union(now, h.before) {
			if now[path] != h.before[path] {
				h.t.Errorf("%s is %q, was %q", path, now[path], h.before[path])
			}
		}
	}
	_, err := os.Lstat(h.bundle())
	if made := err == nil; made != (o.code == 0) {
		h.t.Errorf("exit status %d, bundle made: %v", o.code, made)
	} else if made {
		h.checkBundle()
	}
	return o.code
}

// checkBundle checks that a bundle holds only symlinks, and directories and
// files of the user that nobody can execute.
func (h *host) checkBundle() {
	h.t.Helper()
	walk(h.t, h.bundle(), func(path string, e os.DirEntry) error {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		executable := st.Mode&0o7111 != 0
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			executable = st.Mode&0o7077 != 0
		case unix.S_IFREG:
		case unix.S_IFLNK:
			executable = false
		default:
			h.t.Errorf("%q: mode %o", path, st.Mode)
		}
		if executable || st.Uid != h.id || st.Gid != h.id {
			h.t.Errorf("%q: mode %o, owner %d:%d", path, st.Mode, st.Uid, st.Gid)
		}
		return nil
	})
}

// clear removes what a run made.
func (h *host) clear() {
	h.t.Helper()
	for _, path := range []string{h.bundle(), filepath.Join(h.home, "layout")} {
		if err := os.RemoveAll(path); err != nil {
			h.t.Fatal(err)
		}
	}
}
