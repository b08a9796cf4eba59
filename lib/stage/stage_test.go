// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/status"
)

// made returns a staged directory with a file in it.
func made(t *testing.T, dst string, o Options) *Stage {
	t.Helper()
	s, err := NewDir(dst, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Discard)
	write(t, filepath.Join(s.Path, "new"))
	return s
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "x")
	s := made(t, dst, Options{})
	if !strings.HasPrefix(names(t, dir), ".x.staging-") {
		t.Errorf("before Commit: %s", names(t, dir))
	}
	if err := s.CommitSync(); err != nil {
		t.Fatal(err)
	}
	s.Discard() // no-op after Commit
	if names(t, dir) != "x" || names(t, dst) != "new" {
		t.Errorf("committed: %s, with %s in it", names(t, dir), names(t, dst))
	}
}

func TestNewFile(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	s, err := NewFile(dst, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(dst); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	made(t, filepath.Join(dir, "x"), Options{}).Discard()
	if names(t, dir) != "" {
		t.Errorf("left: %s", names(t, dir))
	}
}

// An existing destination is an error before anything is made and in Commit.
func TestExists(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "x")
	late := made(t, dst, Options{})
	if err := os.Mkdir(dst, 0o777); err != nil { // empty: rename(2) would replace it
		t.Fatal(err)
	}
	for what, err := range map[string]error{"late": late.Commit(), "early": second(NewDir(dst, Options{}))} {
		if status.Of(err) != status.Create || !strings.HasSuffix(err.Error(), "x: exists") || status.HintOf(err) != "-f replaces it" {
			t.Errorf("%s: status %d: %v, hint %s", what, status.Of(err), err, status.HintOf(err))
		}
	}
	late.Discard()
	if names(t, dir) != "x" || names(t, dst) != "" {
		t.Errorf("%s, in it %s", names(t, dir), names(t, dst))
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if _, err := NewFile(filepath.Join(dir, "dangling"), Options{}); status.Of(err) != status.Create {
		t.Errorf("dangling symlink: %v", err)
	}
}

func second(_ *Stage, err error) error { return err }

// Only a destination for which Replaces returns true is replaced, by exchange.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "x")
	mine := Options{Replaces: func(path string) bool {
		_, err := os.Stat(filepath.Join(path, "mine"))
		return err == nil
	}}
	write(t, filepath.Join(dst, "theirs"))
	if _, err := NewDir(dst, mine); status.Of(err) != status.Create || !strings.Contains(err.Error(), "not made by banger") {
		t.Errorf("not made by banger: %v", err)
	}
	write(t, filepath.Join(dst, "mine"))
	s := made(t, dst, mine)
	if names(t, dst) != "mine theirs" {
		t.Errorf("before Commit: %s", names(t, dst))
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if names(t, dir) != "x" || names(t, dst) != "new" {
		t.Errorf("%s, in it %s", names(t, dir), names(t, dst))
	}
}

// A destination replaced by another user before Commit stays.
func TestReplaceRace(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	s := made(t, dst, Options{Replaces: func(string) bool { return false }})
	write(t, filepath.Join(dst, "theirs"))
	if err := s.Commit(); status.Of(err) != status.Create {
		t.Errorf("%v", err)
	}
	if names(t, dst) != "theirs" {
		t.Errorf("%s", names(t, dst))
	}
}

// With Expected, only the held file is replaced, and it must exist, even if another
// process changes the destination during Commit.
func TestExpected(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dst string)
		code   status.Code
		left   string // under its name
	}{
		"unchanged": {func(string) {}, status.OK, "new"},
		"removed":   {func(dst string) { os.RemoveAll(dst) }, status.NoInput, ""},
		"replaced": {func(dst string) {
			os.Rename(dst, dst+".old")
			os.MkdirAll(filepath.Join(dst, "theirs"), 0o777)
		}, status.Temporary, "theirs"},
	} {
		for _, last := range []bool{false, true} {
			dst := filepath.Join(t.TempDir(), "x")
			write(t, filepath.Join(dst, "old"))
			asked := 0
			s := made(t, dst, Options{Expected: hold(t, dst), Replaces: func(string) bool {
				if asked++; last && asked == 2 { // by Commit
					c.change(dst)
				}
				return true
			}})
			if !last {
				c.change(dst)
			}
			if err := s.Commit(); status.Of(err) != c.code {
				t.Errorf("%s, at the last moment %v: status %d, %v", name, last, status.Of(err), err)
			}
			s.Discard()
			Sweep(filepath.Dir(dst))
			var left string
			if _, err := os.Lstat(dst); err == nil {
				left = names(t, dst)
			}
			if left != c.left {
				t.Errorf("%s, at the last moment %v: left %q", name, last, left)
			}
		}
	}
}

func TestCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"))
	for _, dst := range []string{"none/x", "file/x", strings.Repeat("n", 300)} {
		if _, err := NewDir(filepath.Join(dir, dst), Options{}); status.Of(err) != status.Create {
			t.Errorf("%.20s: status %d: %v", dst, status.Of(err), err)
		}
	}
	if _, err := NewDir(filepath.Join(dir, "a\nb"), Options{}); status.Of(err) != status.Usage {
		t.Errorf("a newline: %v", err)
	}
}

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	staged := filepath.Join(dir, temporary("x"))
	write(t, filepath.Join(staged, "new"))
	s, err := Adopt(staged, filepath.Join(dir, "x"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil || names(t, dir) != "x" {
		t.Errorf("%v, %s", err, names(t, dir))
	}
	write(t, filepath.Join(staged, "new"))
	if _, err := Adopt(staged, filepath.Join(dir, "x"), Options{}); status.Of(err) != status.Create {
		t.Errorf("over what exists: %v", err)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x/y/z"))
	if err := Remove(filepath.Join(dir, "x")); err != nil || names(t, dir) != "" {
		t.Errorf("%v, left %s", err, names(t, dir))
	}
	if err := Remove(filepath.Join(dir, "x")); status.Of(err) != status.NoInput {
		t.Errorf("again: %v", err)
	}
}

// Of a symlink only the symlink is removed.
func TestRemoveLink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "there/x"))
	for _, to := range []string{"there", "nowhere"} {
		link := filepath.Join(dir, "link")
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
		if err := Remove(link); err != nil || names(t, dir) != "there" || names(t, filepath.Join(dir, "there")) != "x" {
			t.Errorf("to %s: %v, left %s", to, err, names(t, dir))
		}
		os.Remove(link)
	}
}

func TestIsTemporary(t *testing.T) {
	if name := temporary("x y"); !IsTemporary(name) {
		t.Error(name)
	}
	random := strings.Repeat("A", random)
	for _, name := range []string{"x", ".x", "x.staging-" + random, ".x.staging-", ".x.staging-" + random + "A",
		".x.staging-" + random[1:] + "/", ".x.staging-" + random[1:] + "."} {
		if IsTemporary(name) {
			t.Error(name)
		}
	}
}
