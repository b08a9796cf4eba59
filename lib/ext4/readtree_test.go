// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"strings"
	"testing"

	"banger/lib/tree"
)

// ReadTree returns the tree that was written.
func TestReadTree(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		s.grow(11, 300)
		same(t, s.tree, s.image(small))
	})
	s := newSource(t)
	s.direct = true
	s.grow(12, 300)
	for i, size := range []int{0, 1, 90, 2000, 4000, 4040, 4041, 5000, 65536} {
		for range 2 {
			s.add(fmt.Sprintf("x%d-%d", i, s.tree.Root.Len()), tree.Inode{Xattrs: []tree.Xattr{
				{Name: "security.x", Value: "1"},
				{Name: tree.ACLAccess, Value: "\x02\x00\x00\x00\x02\x00\x07\x00\x01\x00\x00\x00"},
				{Name: "trusted.\xff", Value: strings.Repeat("v", size)},
			}}, "")
		}
	}
	same(t, s.tree, s.image(Options{Size: 32 << 20, Free: -1, Created: 1}))
}

// same compares a tree with what is read from its image.
func same(t *testing.T, want *tree.Tree, m *Image) {
	t.Helper()
	got, err := m.ReadTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[*tree.Inode]*tree.Inode{}
	want.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		if dir == nil {
			return nil
		}
		parts, _ := tree.Split(dir.Join(name))
		read, err := got.Find(parts)
		if err != nil || read == nil {
			t.Errorf("%q: %v, %v", parts, read, err)
			return nil
		}
		if !tree.SameMeta(n, read) || n.Nlink != read.Nlink || n.Blocks != read.Blocks || n.Runs != read.Runs {
			t.Errorf("%q: %.300v, want %.300v", parts, read, n)
		}
		if known := names[n]; known != nil && known != read {
			t.Errorf("%q: inode differs from that of its other names", parts)
		}
		names[n] = read
		return nil
	})
}

// A directory that contains itself has two names, which is an error.
func TestReadCycle(t *testing.T) {
	m := rich(t).image(small)
	at := m.firstBlock(t, rootIno)
	block := make([]byte, blockSize)
	if _, err := m.f.ReadAt(block, at); err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(block), "many")
	le.PutUint32(block[i-deName:], rootIno)
	le.PutUint32(block[blockSize-4:], m.dirChecksum(rootIno, 0, block))
	if _, err := m.f.WriteAt(block, at); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadTree(t.Context()); err == nil {
		t.Error("no error")
	}
}

// EA inodes of the root and of lost+found follow the reserved inodes.
func TestRootValues(t *testing.T) {
	for _, names := range [][]string{{"."}, {"lost+found"}, {".", "lost+found"}} {
		s := newSource(t)
		s.direct = true
		s.add("lost+found", tree.Inode{Type: tree.Dir}, "")
		s.add("f", tree.Inode{}, "1")
		for _, name := range names {
			n := s.tree.Root
			if name != "." {
				n = n.Lookup(name)
			}
			n.Xattrs = []tree.Xattr{{Name: "user.a", Value: strings.Repeat(name, 1000)}, {Name: "user.b", Value: strings.Repeat("b", 9000)}}
		}
		m := s.image(small)
		same(t, s.tree, m)
		root, err := m.inode(rootIno)
		if err != nil || len(root.Xattrs) != len(s.tree.Root.Xattrs) {
			t.Errorf("%q: the root has %d, %v", names, len(root.Xattrs), err)
		}
	}
}

// The walk of an extent tree whose entries all refer to one node ends, even if the
// leaf is empty.
func TestEmptyNodes(t *testing.T) {
	m := rich(t).image(small)
	m.forgeExtents(t, m.mustEntry(t, "runs"), func(leaf []byte, _ int64) { fillNode(leaf, blockExtents, 0, nil) })
	if _, err := m.ReadTree(t.Context()); err == nil {
		t.Error("no error")
	}
}

// An error in a deep directory contains the path once.
func TestReadDeep(t *testing.T) {
	s := newSource(t)
	s.direct = true
	path := "d"
	for range 200 {
		s.add(path, tree.Inode{Type: tree.Dir}, "")
		path += "/d"
	}
	m := s.image(small)
	ino, _, err := m.find(path[:len(path)-2])
	if err != nil {
		t.Fatal(err)
	}
	damage(t, m, m.firstBlock(t, ino), func() {
		_, err := m.ReadTree(t.Context())
		want := "./" + path[:len(path)-2] + ": directory inode " + fmt.Sprint(ino) + ": "
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "inode") != 1 {
			t.Errorf("%.2000v, want %s", err, want)
		}
	})
}
