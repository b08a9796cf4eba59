// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"banger/lib/tree"
)

// paths returns a tree with various symlinks, short and long.
func paths(t testing.TB) *source {
	s := newSource(t)
	for _, dir := range []string{"usr", "usr/lib", "etc", "many"} {
		s.add(dir, tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	}
	s.add("usr/lib/init", tree.Inode{Mode: 0o755}, "x")
	long := strings.Repeat("./", 100) + "usr/lib"
	for name, target := range map[string]string{
		"lib": "usr/lib", "abs": "/usr", "up": "../../../usr", "ring": "ring", "dangling": "none", "long": long,
		"usr/back": "../etc/../lib", "file": "usr/lib/init",
	} {
		s.add(name, tree.Inode{Type: tree.Symlink, Target: target}, "")
	}
	for i := range 200 { // more than one block of names
		s.add(fmt.Sprintf("many/%03d%s", i, strings.Repeat("n", 100)), tree.Inode{}, "")
	}
	return s
}

// Paths are resolved as by a kernel with the image as its root.
func TestOpenPath(t *testing.T) {
	m := paths(t).image(small)
	for path, want := range map[string]bool{
		"/": true, "": true, "/usr/lib/init": true, "usr/lib/init": true, "/lib/init": true, "/abs/lib/init": true,
		"/up/lib/init": true, "/long/init": true, "/usr/back/init": true, "/file": true, "/../../lib/./init": true,
		"/none": false, "/usr/none/init": false, "/dangling": false, "/usr/lib/init/x": false, "/usr/lib/init/..": false,
		"/ring/x": false, "/usr/lib/init/": false, "/file/": false, "/usr/lib/": true,
		"/many/199" + strings.Repeat("n", 100): true, "/many/200" + strings.Repeat("n", 100): false,
	} {
		if _, err := m.Open(path); want && err != nil || !want && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// ReadSize reads the size of filesystems of all formats, and of no other.
func TestReadSize(t *testing.T) {
	m := paths(t).image(small)
	if got, err := ReadSize(m.f); err != nil || got != m.Size() {
		t.Errorf("%d, %v, want %d", got, err, m.Size())
	}
	for name, c := range map[string]struct {
		low, high, shift, features uint32
		want                       int64 // -1 for an error
	}{
		"no blocks":      {0, 0, 0, 0, 0},
		"1 KiB":          {8193, 0, 0, 0, 8193 << 10},
		"64 KiB":         {3, 0, 6, with64bit, 3 << 16},
		"64 bits":        {1, 2, 2, with64bit, (2<<32 + 1) << 12},
		"unused":         {1, 2, 2, 0, 1 << 12},
		"128 KiB":        {3, 0, 7, 0, -1},
		"shift wraps":    {3, 0, 1<<32 - 10, 0, -1},
		"largest":        {1<<32 - 1, 1<<19 - 1, 2, with64bit, 1<<63 - 1<<12},
		"more than that": {0, 1 << 19, 2, with64bit, -1},
	} {
		super := make([]byte, sbOffset+sbSize)
		for field, value := range map[int]uint32{
			sbBlocksLo: c.low, sbBlocksHi: c.high, sbLogBlockSize: c.shift, sbIncompat: c.features, sbMagic: superMagic,
		} {
			le.PutUint32(super[sbOffset+field:], value)
		}
		if got, err := ReadSize(bytes.NewReader(super)); (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%s: %d, %v, want %d", name, got, err, c.want)
		}
	}
	for _, raw := range []string{"", strings.Repeat("\x00", 4096)} {
		if got, err := ReadSize(strings.NewReader(raw)); err == nil {
			t.Errorf("%d bytes: %d", len(raw), got)
		}
	}
}
