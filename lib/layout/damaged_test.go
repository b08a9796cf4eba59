// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// damages are the ways in which index.json may be damaged.
var damages = map[string]func(path string) error{
	"empty":          holds(""),
	"cut":            holds("{"),
	"a list":         holds("[]"),
	"null":           holds("null"),
	"no version":     holds(`{"manifests":[]}`),
	"no descriptor":  holds(`{"schemaVersion":2,"manifests":[{}]}`),
	"zeros":          holds(strings.Repeat("\x00", 4096)),
	"huge":           func(path string) error { return errors.Join(holds("")(path), os.Truncate(path, maxIndex+1)) },
	"a directory":    func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o777) },
	"a fifo":         func(path string) error { return unix.Mkfifo(path, 0o666) },
	"a socket":       func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o666, 0) },
	"a dead link":    func(path string) error { return os.Symlink("nowhere", path) },
	"a link to self": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	"a link upwards": func(path string) error { return os.Symlink(".", path) },
}

func holds(text string) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o666) }
}

// spoil damages a layout's index.json and returns what it put there.
func spoil(t *testing.T, dir string, damage func(path string) error) fs.FileInfo {
	t.Helper()
	path := filepath.Join(dir, v1.ImageIndexFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := damage(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// A damaged index is renamed with one warning, and images can be added again,
// whether the damage is noticed by NewWriter or by Tag.
func TestDamagedIndex(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			var said []string
			dir := t.TempDir()
			w, err := NewWriter(t.Context(), dir, func(text string) { said = append(said, text) })
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			old := []fs.FileInfo{spoil(t, dir, damage)}
			again, err := NewWriter(t.Context(), dir, func(text string) { said = append(said, text) })
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			old = append(old, spoil(t, dir, damage))
			if err := w.Tag(t.Context(), "v1", describe("x"), ""); err != nil || tags(t, w, "x") != "v1=x" {
				t.Errorf("%v, tags %s", err, tags(t, w, "x"))
			}
			for i, info := range old {
				aside := fmt.Sprintf("%s.damaged-%d", filepath.Join(dir, v1.ImageIndexFile), i+1)
				kept, err := os.Lstat(aside)
				if err != nil || !os.SameFile(kept, info) {
					t.Errorf("%s is not what was there: %v", aside, err)
				}
				if len(said) != len(old) || !strings.Contains(said[i], aside) || strings.Contains(said[i], "\n") {
					t.Errorf("said %q, want %s", said, aside)
				}
			}
		})
	}
}

// A valid index is not renamed, even if it is a symlink, nor is one that cannot be
// read for another reason.
func TestIndexNotDamaged(t *testing.T) {
	w := newWriter(t)
	path := filepath.Join(w.Dir(), v1.ImageIndexFile)
	spoil(t, w.Dir(), func(path string) error {
		if err := holds(`{"schemaVersion":2,"manifests":null}`)(path + ".elsewhere"); err != nil {
			return err
		}
		return os.Symlink(filepath.Base(path)+".elsewhere", path)
	})
	again, err := NewWriter(t.Context(), w.Dir(), silent(t))
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
	for _, e := range []error{syscall.EACCES, syscall.EIO, syscall.EMFILE} {
		if isDamage(&fs.PathError{Op: "open", Path: path, Err: e}) {
			t.Errorf("%v is taken for damage", e)
		}
	}
}

// One of several writers renames a damaged index. No name is lost, and readers
// see the old index, none, or a complete one.
func TestDamagedIndexTogether(t *testing.T) {
	w := newWriter(t)
	spoil(t, w.Dir(), holds("{"))
	var warnings atomic.Int32
	var reader sync.WaitGroup
	done := make(chan struct{})
	reader.Go(func() {
		for {
			_, err := w.index()
			if err != nil && status.Of(err) != status.Bad && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	tagTogether(t, w, func(string) { warnings.Add(1) })
	close(done)
	reader.Wait()
	if aside, _ := filepath.Glob(filepath.Join(w.Dir(), "*.damaged-*")); warnings.Load() != 1 || len(aside) != 1 {
		t.Errorf("%d warnings, set aside: %q", warnings.Load(), aside)
	}
}

// A reader of a layout does not rename a damaged index.
func TestReadDamagedIndex(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "no descriptor": `{"schemaVersion":2,"manifests":[{}]}`} {
		dir := t.TempDir()
		l := newLayout(t, dir, imageFor(t, dir, "x", "linux/amd64"))
		path := filepath.Join(dir, v1.ImageIndexFile)
		writeFile(t, path, []byte(text))
		_, err := l.Image(t.Context(), Ref{Dir: dir}, DefaultPlatform)
		if status.Of(err) != status.Bad || status.HintOf(err) == "" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: status %d: %v, hint %q", name, status.Of(err), err, status.HintOf(err))
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != text {
			t.Errorf("%s: changed to %q, %v", name, raw, err)
		}
	}
}
