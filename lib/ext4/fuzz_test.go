// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"banger/lib/tree"
)

// rich returns a tree that needs every structure: an htree, extent tree blocks,
// and xattrs in an inode, in an xattr block and in an EA inode.
func rich(t testing.TB) *source {
	s := newSource(t)
	s.direct = true
	s.add("many", tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	for i := range 60 {
		s.add(fmt.Sprintf("many/%03d%s", i, strings.Repeat("n", 100)), tree.Inode{}, "")
	}
	s.add("runs", tree.Inode{}, strings.Repeat(strings.Repeat("x", blockSize)+strings.Repeat("\x00", blockSize), 6))
	s.add("block", tree.Inode{Xattrs: []tree.Xattr{{Name: "user.a", Value: "1"}, {Name: "user.b", Value: strings.Repeat("v", 100)}}}, "")
	s.add("large", tree.Inode{Xattrs: []tree.Xattr{{Name: "user.c", Value: strings.Repeat("v", 9000)}}}, "1")
	s.add("link", tree.Inode{Type: tree.Symlink, Target: strings.Repeat("./", 50) + "many"}, "")
	s.add("null", tree.Inode{Type: tree.Char, Major: 1, Minor: 3}, "")
	return s
}

// A spot is a structure in an image. seal sets its checksum.
type spot struct {
	at   int64
	size int
	seal func(raw []byte)
}

// spots returns the structures of the image of rich.
func spots(t testing.TB, m *Image) []spot {
	found := []spot{
		{sbOffset, sbSize, setSuperChecksum},
		{blockSize, gdSize, func(raw []byte) {
			first := Image{descs: raw[:gdSize], csumSeed: m.csumSeed}
			le.PutUint16(raw[gdChecksum:], first.groupChecksum(0))
		}},
	}
	resize, err := m.readInode(resizeIno)
	if err != nil {
		t.Fatal(err)
	}
	// Structures without a checksum, or with one elsewhere.
	for _, at := range []int64{
		m.desc(0).block(gdBlockBitmap) * blockSize, m.desc(0).block(gdInodeBitmap) * blockSize,
		(1 + m.descBlocks()) * blockSize, int64(le.Uint32(resize[inDoubleIndirect:])) * blockSize, m.firstBlock(t, journalIno),
	} {
		found = append(found, spot{at, blockSize, func([]byte) {}})
	}
	dirSeal := func(ino uint32) func([]byte) {
		return func(raw []byte) { le.PutUint32(raw[blockSize-4:], m.dirChecksum(ino, 0, raw)) }
	}
	found = append(found, spot{m.firstBlock(t, rootIno), blockSize, dirSeal(rootIno)})
	for _, name := range []string{".", "many", "runs", "block", "large", "link", "null", "lost+found"} {
		ino, raw, err := m.find(name)
		if err != nil {
			t.Fatal(err)
		}
		g, index := m.groupOf(ino)
		found = append(found, spot{m.inodeTableOffset(g) + int64(index)*inodeSize, inodeSize, func(raw []byte) { m.setInodeChecksum(ino, raw) }})
		switch name {
		case "many":
			first := m.firstBlock(t, ino)
			found = append(found, spot{first, blockSize, func(raw []byte) {
				if le.Uint16(raw[rootEntries+2:]) <= rootLimit {
					m.setIndexChecksum(ino, raw, rootEntries)
				}
			}},
				spot{first + blockSize, blockSize, dirSeal(ino)})
		case "runs":
			node := int64(le.Uint32(raw[inBlock+extentSize+4:]))
			found = append(found, spot{node * blockSize, blockSize, func(raw []byte) {
				le.PutUint32(raw[extentTail:], m.extentChecksum(ino, 0, raw))
			}})
		case "block", "large":
			block := int64(le.Uint32(raw[inXattrBlock:]))
			found = append(found, spot{block * blockSize, blockSize, func(raw []byte) {
				le.PutUint32(raw[xbChecksum:], m.xattrChecksum(block, raw))
			}})
		}
	}
	return found
}

// firstBlock returns the offset of an inode's content in bytes.
func (m *Image) firstBlock(t testing.TB, ino uint32) int64 {
	raw, err := m.readInode(ino)
	if err != nil {
		t.Fatal(err)
	}
	first := int64(0)
	m.visitExtents(ino, raw, func(e extent) error {
		if first == 0 {
			first = e.physical * blockSize
		}
		return nil
	})
	return first
}

// FuzzRead overwrites a part of a structure in an image, optionally sets the
// checksum, and reads and checks everything. That must end without a panic.
func FuzzRead(f *testing.F) {
	m := rich(f).image(small)
	all := spots(f, m)
	for i, p := range all {
		for off := 0; off < min(p.size, inodeSize); off += 4 {
			f.Add(uint8(i), uint16(off), []byte{0xff, 0xff, 0xff, 0x7f}, i%2 == 0)
			f.Add(uint8(i), uint16(off), []byte{0, 0, 0, 0x80}, true)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, off uint16, value []byte, seal bool) {
		p := all[int(i)%len(all)]
		before := make([]byte, p.size)
		if _, err := m.f.ReadAt(before, p.at); err != nil {
			t.Fatal(err)
		}
		defer m.f.WriteAt(before, p.at)
		raw := append([]byte(nil), before...)
		copy(raw[int(off)%p.size:], value)
		if seal {
			p.seal(raw)
		}
		if _, err := m.f.WriteAt(raw, p.at); err != nil {
			t.Fatal(err)
		}
		readAll(m.f.Name())
	})
}

// readAll reads and checks as much of an image as possible.
func readAll(name string) error {
	m, err := Open(name)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, path := range []string{"/link/000" + strings.Repeat("n", 100), "/runs", "/lost+found/none"} {
		m.Open(path)
	}
	t, err := m.ReadTree(context.Background())
	if err != nil {
		return err
	}
	var wrong []error
	err = m.Check(context.Background(), t, func(problem string) {
		if len(wrong) < 10 {
			wrong = append(wrong, errors.New(problem))
		}
	})
	if err := errors.Join(append(wrong, err)...); err != nil {
		return err
	}
	return t.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		if n.Type != tree.File {
			return nil
		}
		f, err := m.Content(n)
		if err == nil {
			_, err = f.ReadAt(make([]byte, min(n.Size, 1<<20)), 0)
		}
		return err
	})
}

// Damage to any byte of a structure is detected. Blocks are sampled.
func TestDamaged(t *testing.T) {
	m := rich(t).image(small)
	if err := readAll(m.f.Name()); err != nil {
		t.Fatal(err)
	}
	for i, p := range spots(t, m) {
		for at := p.at; at < p.at+int64(p.size); at += 1 + int64(p.size)/blockSize*6 {
			damage(t, m, at, func() {
				if readAll(m.f.Name()) == nil {
					t.Errorf("spot %d, byte %#x", i, at-p.at)
				}
			})
		}
	}
}
