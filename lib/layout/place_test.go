// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// Anything but a file in the place of a blob is an error that names what to
// remove, and is not removed.
func TestCheckPlace(t *testing.T) {
	d := describe("content")
	for name, c := range map[string]struct {
		put     func(path string) error
		command string
	}{
		"a directory":           {func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o777) }, "rm -r "},
		"an empty directory":    {func(path string) error { return os.Mkdir(path, 0o777) }, "rm -r "},
		"a fifo":                {func(path string) error { return unix.Mkfifo(path, 0o666) }, "rm "},
		"a socket":              {func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o666, 0) }, "rm "},
		"a link to a directory": {func(path string) error { return os.Symlink(".", path) }, "rm "},
		"a link to nothing":     {func(path string) error { return os.Symlink("nowhere", path) }, "rm "},
		"a link to itself":      {func(path string) error { return os.Symlink(filepath.Base(path), path) }, "rm "},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t)
			path := filepath.Join(w.Dir(), "blobs/sha256", d.Digest.Encoded())
			if err := c.put(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if w.Has(t.Context(), d) {
				t.Error("taken for the blob")
			}
			for what, err := range map[string]error{
				"asked": w.CheckPlace(d.Digest), "put": w.PutBlob(d, strings.NewReader("content")),
			} {
				if status.Of(err) != status.Create || !strings.Contains(err.Error(), path) || status.HintOf(err) != c.command+path {
					t.Errorf("%s: status %d, %v, hint %q", what, status.Of(err), err, status.HintOf(err))
				}
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
}

// A symlink to a file is accepted like the file, and so is a free path.
func TestCheckPlaceFree(t *testing.T) {
	w, d := newWriter(t), describe("content")
	path := filepath.Join(w.Dir(), "blobs/sha256", d.Digest.Encoded())
	if err := w.CheckPlace(d.Digest); err != nil {
		t.Error(err)
	}
	writeFile(t, path+".elsewhere", []byte("content"))
	if err := os.Symlink(path+".elsewhere", path); err != nil {
		t.Fatal(err)
	}
	if err := w.CheckPlace(d.Digest); err != nil || !w.Has(t.Context(), d) {
		t.Errorf("%v", err)
	}
}

// A reader of a layout is told what to remove, too.
func TestReadNotFile(t *testing.T) {
	dir := t.TempDir()
	d := imageFor(t, dir, "x", "linux/amd64")
	l := newLayout(t, dir, d)
	path := filepath.Join(dir, "blobs/sha256", d.Digest.Encoded())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := l.Image(t.Context(), Ref{Dir: dir}, DefaultPlatform)
	if status.Of(err) != status.Bad || status.HintOf(err) != "rm -r "+path {
		t.Errorf("status %d, %v, hint %q", status.Of(err), err, status.HintOf(err))
	}
}

// A hint can be pasted into a shell.
func TestShellWord(t *testing.T) {
	for path, want := range map[string]string{
		"/a-b/c_d.e/sha256:0": "/a-b/c_d.e/sha256:0",
		"/my cache":           "'/my cache'",
		"/it's; rm *":         `'/it'\''s; rm *'`,
	} {
		if got := shellWord(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
