// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The group may write a file that is made in a directory that it shares, whatever the
// umask. A file that is made elsewhere has the mode that the umask leaves. The file exists with its mode or not at all.
func TestOpenOrCreate(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	for mode, want := range map[fs.FileMode]fs.FileMode{0o775 | fs.ModeSetgid: 0o660, 0o775: 0o600, 0o755 | fs.ModeSetgid: 0o600} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "file")
		for _, text := range []string{"new", "old"} {
			f, err := OpenOrCreate(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil || info.Mode() != want {
				t.Errorf("in %v: mode %v, want %v, %v", mode, info.Mode(), want, err)
			}
			if _, err := f.WriteString(text); err != nil {
				t.Error(err)
			}
			f.Close()
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "old" {
			t.Errorf("in %v: %q, %v", mode, raw, err)
		}
		link := filepath.Join(dir, "link")
		if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenOrCreate(link); !errors.Is(err, unix.ELOOP) {
			t.Errorf("in %v: symlink: %v", mode, err)
		}
		if err := createNamed(filepath.Join(dir, "plain")); err != nil { // as where there are no files without a name
			t.Error(err)
		} else if f, err := OpenOrCreate(filepath.Join(dir, "plain")); err != nil {
			t.Error(err)
		} else if info, err := f.Stat(); err != nil || info.Mode() != want {
			t.Errorf("in %v: created by its name: mode %v, %v", mode, info.Mode(), err)
		}
		if _, err := OpenOrCreate(filepath.Join(dir, "missing/file")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("in %v: no directory: %v", mode, err)
		}
	}
}

// Processes that create and remove a file at the same time do not disturb each other.
func TestOpenOrCreateTogether(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o775|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 500 {
				f, err := OpenOrCreate(path)
				if err != nil {
					t.Error(err)
					return
				}
				os.Remove(path)
				f.Close()
			}
		})
	}
	group.Wait()
}

// Of many that make a directory of a group and files in it at the same time, none makes
// one that the group may not write.
func TestMakeDirTogether(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o775|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	for round := range 100 {
		dir := filepath.Join(shared, strconv.Itoa(round), "ingest")
		var group sync.WaitGroup
		for name := range 8 {
			group.Go(func() {
				if err := MakeDir(dir); err != nil {
					t.Error(err)
					return
				}
				f, err := OpenOrCreate(filepath.Join(dir, strconv.Itoa(name)))
				if err != nil {
					t.Error(err)
					return
				}
				f.Close()
			})
		}
		group.Wait()
	}
	err := filepath.WalkDir(shared, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if IsTemporary(e.Name()) {
			t.Errorf("%s: left", path)
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o060 != 0o060 {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A file where the directory should be is an error; a symlink to a directory is one.
func TestMakeDirExists(t *testing.T) {
	for _, mode := range []fs.FileMode{0o775 | fs.ModeSetgid, 0o755} {
		dir := t.TempDir()
		file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
		for _, err := range []error{os.Chmod(dir, mode), os.WriteFile(file, nil, 0o600), os.Symlink(t.TempDir(), link)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := MakeDir(file); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("in %v: file: %v", mode, err)
		}
		if err := MakeDir(link); err != nil {
			t.Errorf("in %v: symlink: %v", mode, err)
		}
	}
}
