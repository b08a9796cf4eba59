// SPDX-License-Identifier: Apache-2.0

package ext4

import (
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
