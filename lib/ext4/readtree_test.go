// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"strings"
	"testing"

	"banger/lib/tree"
)

// What was written is read again.
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

// same holds a tree against what is read of its image.
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
			t.Errorf("%q: another inode than its other names have", parts)
		}
		names[n] = read
		return nil
	})
}

// A directory that is in itself has two names.
func TestReadCircle(t *testing.T) {
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
