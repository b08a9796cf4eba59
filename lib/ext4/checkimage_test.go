// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"strings"
	"testing"

	"banger/lib/tree"
)

// problems returns the problems that Check reports.
func problems(t testing.TB, m *Image) (all []string) {
	t.Helper()
	read, err := m.ReadTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(t.Context(), read, func(problem string) { all = append(all, problem) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func sound(t testing.TB, m *Image) {
	t.Helper()
	if all := problems(t, m); len(all) > 0 {
		t.Errorf("%d problems: %.2000q", len(all), all)
	}
}

// Images with every kind of inode have no problems.
func TestCheckImage(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		newSource(t).image(small)
		for seed := range int64(3) {
			s := newSource(t)
			s.grow(seed, 400)
			s.image(Options{Free: -1, Created: 1600000000})
			s.image(Options{Minimal: true})
		}
		s := newSource(t)
		for name, content := range contentsOf() {
			s.add(name, tree.Inode{}, content)
		}
		s.add("lost+found", tree.Inode{Type: tree.Dir}, "")
		s.add("lost+found/x", tree.Inode{}, "1")
		s.image(Options{Size: 40 << 20, Free: -1, Created: 1})
	})
}

// Xattrs in shared and unshared blocks and in EA inodes, also of the root and of
// lost+found.
func TestCheckXattrs(t *testing.T) {
	s := newSource(t)
	s.direct = true
	s.add("lost+found", tree.Inode{Type: tree.Dir}, "")
	big := []tree.Xattr{{Name: "user.a", Value: strings.Repeat("a", 1000)}, {Name: "user.b", Value: strings.Repeat("b", 9000)},
		{Name: "user.c", Value: strings.Repeat("c", 60000)}}
	s.tree.Root.Xattrs, s.tree.Root.Lookup("lost+found").Xattrs = big, big
	for i := range 1500 { // more than can share one block
		s.add(fmt.Sprintf("shared%d", i), tree.Inode{Xattrs: []tree.Xattr{{Name: "user.a", Value: strings.Repeat("v", 200)}}}, "")
	}
	for i, size := range []int{0, 1, 90, 2000, 4000, 4040, 4041, 5000, 65536} {
		s.add(fmt.Sprintf("x%d", i), tree.Inode{UID: 70000, GID: 3, Xattrs: []tree.Xattr{
			{Name: tree.ACLAccess, Value: "\x02\x00\x00\x00\x02\x00\x07\x00\x01\x00\x00\x00"},
			{Name: "security.x", Value: "1"},
			{Name: "trusted.\xff", Value: strings.Repeat("v", size)},
		}}, "1")
	}
	s.image(Options{Size: 32 << 20, Free: -1, Created: 1})
}

// Images of many groups, with an indexed directory and almost empty.
func TestCheckGroups(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		for i := range 1000 {
			s.add(longName("n", i), tree.Inode{Type: tree.Symlink, Target: strings.Repeat("t", 55+i%10)}, "")
		}
		for _, size := range []int64{20 << 30, 1<<30 + 12345, 129 << 20} {
			s.image(Options{Size: size, Free: -1, Created: 1})
		}
	})
}
