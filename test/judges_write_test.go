// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// writtenTo lets the kernel write to a copy: it allocates blocks, splits htree
// blocks, grows extent trees, unshares xattr blocks, and frees them.
func (r rich) writtenTo(t *testing.T) {
	file := copyOf(t, r.image)
	root, unmount := mountWritable(t, file)
	w := writer{t, root}
	w.create(5000, ".", "wide-1-4", "wide-338-4", "wide-339-4", "wide-2000-20", "wide-8000-255", "attributes", "lost+found")
	w.grow("contents", "types")
	w.attributes("attributes", "shared", "contents", "wide-339-4")
	w.halve("wide-2000-20", "wide-8000-255", "wide-16-255", "shared", "contents", "targets")
	unmount()
	fsck(t, file)
	if count := dumpe2fs(t, file)["FS Error count"]; count != "" {
		t.Errorf("the kernel found %s errors", count)
	}
	t.Run("kept", func(t *testing.T) { r.kept(t, mount(t, file)) })
}

// kept checks that files that the writer did not touch are unchanged.
func (r rich) kept(t *testing.T, root string) {
	got, want, now := map[string]facts{}, map[string]facts{}, readTree(t, root)
	for path, f := range r.tree {
		top, _, _ := strings.Cut(path, "/")
		untouched := slices.Contains([]string{"bytes", "lengths", "deep", "wide-15-255", "wide-31-255"}, top)
		if untouched && f["names"] == fmt.Sprintf("%q", []string{path}) {
			got[path], want[path] = now[path], f
		}
	}
	if len(want) < 400 {
		t.Errorf("only %d paths were checked", len(want))
	}
	sameTree(t, got, want)
}

// A writer changes a mounted image.
type writer struct {
	t    *testing.T
	root string
}

func (w writer) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

// create creates files, renames them and removes half of them.
func (w writer) create(files int, dirs ...string) {
	for i := range files {
		dir := filepath.Join(w.root, dirs[i%len(dirs)])
		path := filepath.Join(dir, fmt.Sprintf("new-%d-%s", i, strings.Repeat("x", i%200)))
		w.must(os.WriteFile(path, fmt.Append(nil, "new ", i), 0o600))
		w.must(os.Rename(path, filepath.Join(dir, fmt.Sprintf("renamed-%d", i))))
	}
	for i := 0; i < files; i += 2 {
		w.must(os.Remove(filepath.Join(w.root, dirs[i%len(dirs)], fmt.Sprintf("renamed-%d", i))))
	}
}

// each calls change for every file in the directories.
func (w writer) each(dirs []string, change func(i int, path string, st unix.Stat_t)) {
	for _, dir := range dirs {
		for i, name := range list(w.t, filepath.Join(w.root, dir)) {
			path := filepath.Join(w.root, dir, name)
			var st unix.Stat_t
			w.must(unix.Lstat(path, &st))
			change(i, path, st)
		}
	}
}

// grow appends to files and fills holes.
func (w writer) grow(dirs ...string) {
	w.each(dirs, func(_ int, path string, st unix.Stat_t) {
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		w.must(err)
		defer f.Close()
		for _, at := range []int64{st.Size, st.Size / 2, 4096} {
			_, err = f.WriteAt(smallNoise(1, 9000), at)
			w.must(err)
		}
		w.must(f.Sync()) // otherwise the kernel merges the writes
	})
}

// attributes adds attributes to some files and removes those of others.
func (w writer) attributes(dirs ...string) {
	w.each(dirs, func(i int, path string, _ unix.Stat_t) {
		if i%3 > 0 {
			w.must(unix.Lsetxattr(path, "trusted.new", smallNoise(uint64(i%2), 300*(i%3)), 0))
			return
		}
		for name := range xattrsOf(w.t, path) {
			w.must(unix.Lremovexattr(path, name))
		}
	})
}

// xattrsOf returns the attributes of a file, by name.
func xattrsOf(t testing.TB, path string) map[string]string {
	t.Helper()
	f, all := facts{}, map[string]string{}
	if err := f.readXattrs(path); err != nil {
		t.Fatal(err)
	}
	for fact, value := range f {
		all[strings.TrimPrefix(fact, "xattr.")] = value
	}
	return all
}

// halve removes every second file.
func (w writer) halve(dirs ...string) {
	w.each(dirs, func(i int, path string, st unix.Stat_t) {
		if i%2 == 0 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			w.must(os.Remove(path))
		}
	})
}
