// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// Another UUID changes the checksums of everything, and nothing else.
func TestNewUUID(t *testing.T) {
	s := newSource(t)
	s.direct = true
	s.add("many", tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	for i := range 500 { // an htree
		s.add(fmt.Sprintf("many/%03d%s", i, strings.Repeat("n", 100)), tree.Inode{Mode: 0o644}, "x")
	}
	s.add("holes", tree.Inode{Mode: 0o644}, strings.Repeat("x"+strings.Repeat("\x00", 2*blockSize-1), 400)) // blocks of extents
	for name, size := range map[string]int{"inside": 10, "block": 3000, "inode": 6000} {
		s.add(name, tree.Inode{Mode: 0o644, Xattrs: []tree.Xattr{{Name: "user.x", Value: strings.Repeat("v", size)}}}, "")
	}
	s.add("link", tree.Inode{Type: tree.Symlink, Target: strings.Repeat("t", 200)}, "")
	m := s.image(Options{Size: 256 << 20})
	before, uuid := manifest(t, m), m.UUID()
	// The kernel writes this field and no other that matters here.
	if err := m.editSuper(func(sb []byte) { le.PutUint32(sb[sbMountTime:], 1700000000) }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := NewUUID(t.Context(), m.f.Name()); err != nil {
			t.Fatal(err)
		}
		m = opened(t, m.f.Name())
		if m.UUID() == uuid {
			t.Errorf("still %s", uuid)
		}
		uuid = m.UUID()
	}
	fsck(t, m.f.Name())
	if after := manifest(t, m); after != before {
		t.Errorf("%s\nnot\n%s", after, before)
	}
}

func manifest(t *testing.T, m *Image) string {
	t.Helper()
	all, err := m.ReadTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := mtree.Write(&text, all); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// The checksums of a damaged filesystem are not calculated anew.
func TestNewUUIDDamaged(t *testing.T) {
	m := paths(t).image(small)
	at := m.inodeTableOffset(0) + inodeSize // the root directory
	if _, err := m.f.WriteAt([]byte{0xff}, at+8); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(m.f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := NewUUID(t.Context(), m.f.Name()); status.Of(err) != status.Bad {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(m.f.Name()); err != nil || !bytes.Equal(after, before) {
		t.Errorf("changed, %v", err)
	}
}
