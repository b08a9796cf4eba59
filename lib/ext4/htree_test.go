// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"banger/lib/tree"
)

// The hash of names is that of libext2fs.
func TestNameHash(t *testing.T) {
	s := newSource(t)
	m := s.image(small)
	uuid := formatUUID(m.super[sbHashSeed : sbHashSeed+16])
	for _, name := range []string{"a", "ab", "abc", "abcd", "lost+found", strings.Repeat("x", 31), strings.Repeat("x", 32),
		strings.Repeat("x", 33), strings.Repeat("0123456789", 25), "\u00e9t\u00e9", "\u65e5\u672c"} {
		text := debugfs(t, m, fmt.Sprintf("dx_hash -h half_md4 -s %s %s", uuid, name))
		if want := fmt.Sprintf("is %#x (", nameHash(m.hashSeed(), name)); !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
}

// If two names with the same hash are in two leaves, the hash of the second leaf
// has its lowest bit set, which e2fsck checks.
func TestCollision(t *testing.T) {
	s := newSource(t)
	s.direct = true
	seed := s.image(small).hashSeed()
	a, b, hash := collision(seed)
	const each = leafRoom / (deName + 256) // such names per leaf
	names := []string{a, b}
	for i := 0; len(names) < 2*each; i++ {
		name := longName("before", i)
		if len(names) > each && i < 100_000 {
			name = longName("behind", i)
		}
		if before := nameHash(seed, name) < hash; before == (len(names) <= each) {
			names = append(names, name)
		}
	}
	s.add("d", tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	for _, name := range names {
		s.add("d/"+name, tree.Inode{}, "")
	}
	m := s.image(small)
	if dump := debugfs(t, m, "htree_dump /d"); !strings.Contains(dump, fmt.Sprintf("Hash 0x%08x (**)", hash|1)) {
		t.Errorf("no leaf continues hash %#x:\n%.300s", hash, dump)
	}
	got, err := m.Names("d")
	slices.Sort(names)
	if err != nil || !slices.Equal(got, names) {
		t.Errorf("%d names of %d, %v", len(got), len(names), err)
	}
}

// longName returns a name of maximum length.
func longName(kind string, i int) string {
	return fmt.Sprintf("%s-%d-", kind, i) + strings.Repeat("n", 255-len(fmt.Sprintf("%s-%d-", kind, i)))
}

// collision returns two names with the same hash.
func collision(seed [4]uint32) (a, b string, hash uint32) {
	seen := map[uint32]string{}
	for i := 0; ; i++ {
		b = longName("same", i)
		hash = nameHash(seed, b)
		if a = seen[hash]; a != "" && hash > 1<<30 && hash < 3<<30 {
			return a, b, hash
		}
		seen[hash] = b
	}
}

// The index gets a second level when the first is full.
func TestLayOut(t *testing.T) {
	for _, c := range []struct{ names, nodes int }{
		{0, 0}, {12, 0}, {rootLimit * 12, 0}, {rootLimit*12 + 1, 1}, {nodeLimit*12 + 1, 2}, {1_000_000, 164},
	} {
		if testing.Short() && c.names == 1_000_000 {
			continue
		}
		entries := make([]dirEntry, c.names)
		for i := range entries {
			entries[i] = dirEntry{name: longName("n", i), ino: 12}
		}
		l, err := layOut(entries, [4]uint32{1, 2, 3, 4})
		if err != nil || l.nodes != c.nodes {
			t.Errorf("%d names: %d nodes, want %d, %v", c.names, l.nodes, c.nodes, err)
		}
	}
}

// The smallest directory with a second level, which has a single node.
func TestSecondLevel(t *testing.T) {
	s := newSource(t)
	s.direct = true
	for i := range rootLimit*12 + 1 {
		s.add(longName("n", i), tree.Inode{Type: tree.Symlink, Target: "x"}, "")
	}
	m := s.image(Options{Size: 64 << 20, Free: -1, Created: 1})
	if dump := debugfs(t, m, "htree_dump /"); !strings.Contains(dump, "Indirect levels: 1") {
		t.Errorf("%.300s", dump)
	}
	names, err := m.Names("/")
	if err != nil || len(names) != rootLimit*12+2 {
		t.Errorf("%d names, %v", len(names), err)
	}
}
