// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"banger/lib/status"
)

func hold(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// holds lists an open directory, wherever it was renamed.
func holds(t *testing.T, f *os.File) string {
	t.Helper()
	all, err := fs.Glob(os.DirFS("/proc/self/fd/"+strconv.Itoa(int(f.Fd()))), "*")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// A held directory stays complete even if it is removed or replaced. After the last
// Close, a sweep removes it.
func TestHold(t *testing.T) {
	any := Options{Replaces: func(string) bool { return true }}
	for name, c := range map[string]struct {
		act  func(t *testing.T, dst string) error
		left string // under its name
	}{
		"removed":                       {func(_ *testing.T, dst string) error { return Remove(dst) }, ""},
		"replaced":                      {func(t *testing.T, dst string) error { return made(t, dst, any).Commit() }, "x"},
		"replaced, and that is on disk": {func(t *testing.T, dst string) error { return made(t, dst, any).CommitSync() }, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			dst := filepath.Join(dir, "x")
			write(t, filepath.Join(dst, "old"))
			first, second := hold(t, dst), hold(t, dst)
			if err := c.act(t, dst); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*os.File{first, second} {
				Sweep(dir)
				if got := holds(t, f); got != "old" {
					t.Errorf("held: %q", got)
				}
				if _, hidden, _ := strings.Cut(" "+names(t, dir), " .x"+infix); hidden == "" {
					t.Errorf("while it is held: %s", names(t, dir))
				}
				f.Close()
			}
			Sweep(dir)
			if got := names(t, dir); got != c.left {
				t.Errorf("left %q, want %q", got, c.left)
			}
		})
	}
}

// A missing path cannot be held; a file can.
func TestHoldWhat(t *testing.T) {
	dir := t.TempDir()
	if _, err := Hold(filepath.Join(dir, "none")); status.Of(err) != status.NoInput {
		t.Errorf("missing path: %v", err)
	}
	write(t, filepath.Join(dir, "file"))
	held := hold(t, filepath.Join(dir, "file"))
	if err := Remove(filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	if info, err := held.Stat(); err != nil || names(t, dir) == "" {
		t.Errorf("%v, %v, left %q", info, err, names(t, dir))
	}
}

// However often a path is replaced, Hold returns a complete directory that has or
// had the name, never one that is being removed.
func TestHoldRace(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "x")
	if err := made(t, dst, Options{}).Commit(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < 300 && err == nil; i++ {
			err = replace(dst)
		}
		done <- err
	}()
	for times := 0; ; times++ {
		select {
		case err := <-done:
			if err != nil || times == 0 {
				t.Errorf("%v; held %d times", err, times)
			}
			Sweep(dir)
			if got := names(t, dir); got != "x" {
				t.Errorf("left %s", got)
			}
			return
		default:
		}
		f := hold(t, dst)
		if got := holds(t, f); got != "new" {
			t.Fatalf("held %d times, now %q", times, got)
		}
		f.Close()
	}
}

func replace(dst string) error {
	s, err := NewDir(dst, Options{Replaces: func(string) bool { return true }})
	if err != nil {
		return err
	}
	defer s.Discard()
	if err := os.WriteFile(filepath.Join(s.Path, "new"), nil, 0o666); err != nil {
		return err
	}
	return s.Commit()
}

// A symlink is followed.
func TestHoldLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("there", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	held, err := Hold(filepath.Join(dir, "link"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	opened, err1 := held.Stat()
	there, err2 := os.Stat(filepath.Join(dir, "there"))
	if err1 != nil || err2 != nil || !os.SameFile(opened, there) {
		t.Errorf("%v, %v", err1, err2)
	}
}
