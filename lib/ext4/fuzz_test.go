// SPDX-License-Identifier: Apache-2.0

package ext4

import "testing"

// FuzzOpen writes something anywhere into the structures of a small image,
// checksums mended if seal says so, and looks paths up in it. Whatever comes
// of it, it comes to an end.
func FuzzOpen(f *testing.F) {
	m := paths(f).image(small)
	root, many, long := uint32(rootIno), m.child(f, "many"), m.child(f, "long")
	places := []int64{sbOffset, blockSize, m.inodeAt(root), m.inodeAt(many), m.inodeAt(long), m.firstBlock(f, root), m.firstBlock(f, long)}
	for place := range places {
		f.Add(uint8(place), uint16(inBlock), []byte{0xff, 0xff, 0xff, 0x7f}, place%2 == 0)
	}
	f.Add(uint8(4), uint16(inSizeHi), []byte{0, 0, 0, 0x80}, true)
	f.Add(uint8(3), uint16(inBlock+2), []byte{0xff, 0}, true)
	f.Add(uint8(5), uint16(4), []byte{0, 0}, true)
	f.Fuzz(func(t *testing.T, place uint8, off uint16, value []byte, seal bool) {
		at := places[int(place)%len(places)] + int64(off%blockSize)
		value = value[:min(len(value), 64)]
		undo := make([]byte, 2*blockSize)
		start := at / blockSize * blockSize
		if _, err := m.f.ReadAt(undo, start); err != nil {
			t.Fatal(err)
		}
		defer m.f.WriteAt(undo, start)
		if _, err := m.f.WriteAt(value, at); err != nil {
			t.Fatal(err)
		}
		if seal {
			m.seal(int(place)%len(places), places[5], []uint32{root, many, long})
		}
		damaged, err := Open(m.f.Name())
		if err != nil {
			return
		}
		defer damaged.Close()
		for _, path := range []string{"/usr/lib/init", "/many/000", "/long/init", "/lost+found"} {
			if f, err := damaged.Open(path); err == nil {
				f.ReadAt(make([]byte, 3*blockSize), 0)
			}
			damaged.Names(path)
		}
	})
}

// child is the inode of a name in the root.
func (m *Image) child(f *testing.F, name string) uint32 {
	raw, err := m.readInode(rootIno)
	if err != nil {
		f.Fatal(err)
	}
	ino, err := m.entry(rootIno, raw, name)
	if err != nil {
		f.Fatal(err)
	}
	return ino
}

// inodeAt is the byte at which an inode of the first group is.
func (m *Image) inodeAt(ino uint32) int64 { return m.inodeTable(0) + int64(ino-1)*inodeSize }

// firstBlock is the byte at which an inode's content starts.
func (m *Image) firstBlock(f *testing.F, ino uint32) int64 {
	raw, err := m.readInode(ino)
	if err != nil {
		f.Fatal(err)
	}
	first := int64(0)
	m.extents(ino, raw, func(e extent) error {
		if first == 0 {
			first = e.physical
		}
		return nil
	})
	return first * blockSize
}

// seal mends the checksum of what FuzzOpen has written into, if it has one.
func (m *Image) seal(place int, rootBlock int64, inodes []uint32) {
	switch place {
	case 0:
		sb := make([]byte, sbSize)
		m.f.ReadAt(sb, sbOffset)
		sealSuper(sb)
		m.f.WriteAt(sb, sbOffset)
	case 2, 3, 4:
		raw := make([]byte, inodeSize)
		m.f.ReadAt(raw, m.inodeAt(inodes[place-2]))
		m.sealInode(inodes[place-2], raw)
		m.f.WriteAt(raw, m.inodeAt(inodes[place-2]))
	case 5:
		block := make([]byte, blockSize)
		m.f.ReadAt(block, rootBlock)
		le.PutUint32(block[blockSize-4:], m.dirChecksum(rootIno, 0, block))
		m.f.WriteAt(block, rootBlock)
	}
}
