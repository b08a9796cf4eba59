// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// A table writes inodes into the tables of the groups, in the order of their
// numbers and without a gap. What lies behind the last one is never touched.
type table struct {
	m    *Image
	next uint32 // the number of the next inode
	raw  []byte // inodes before it that are not written yet
	dirs uint32 // directories of the group so far
}

// tableChunk is how much of a table is written at once, in bytes.
const tableChunk = 256 << 10

// newTable starts with the reserved inodes as mke2fs made them; the root is one
// of them.
func newTable(m *Image) (*table, error) {
	t := &table{m: m, next: lostFoundIno, raw: make([]byte, (lostFoundIno-1)*inodeSize, tableChunk)}
	if m.inodesPerGroup() < lostFoundIno {
		return nil, fmt.Errorf("%d inodes a group", m.inodesPerGroup())
	}
	_, err := m.f.ReadAt(t.raw, m.inodeTable(0))
	return t, short(err)
}

// put seals an inode and adds it. The root comes before any other.
func (t *table) put(ino uint32, raw []byte, dir bool) error {
	t.m.sealInode(ino, raw)
	if dir {
		t.dirs++
	}
	switch {
	case ino == rootIno && t.next == lostFoundIno:
		copy(t.raw[(rootIno-1)*inodeSize:], raw)
		return nil
	case ino != t.next:
		return fmt.Errorf("inode %d, where %d is the next", ino, t.next)
	}
	t.raw = append(t.raw, raw...)
	t.next++
	if _, index := t.m.groupOf(t.next); index == 0 {
		return t.closeGroup()
	}
	if len(t.raw) == tableChunk {
		return t.flush()
	}
	return nil
}

// flush writes what is gathered.
func (t *table) flush() error {
	if len(t.raw) == 0 {
		return nil
	}
	g, index := t.m.groupOf(t.next - 1)
	at := t.m.inodeTable(g) + int64(index+1)*inodeSize - int64(len(t.raw))
	_, err := t.m.f.WriteAt(t.raw, at)
	t.raw = t.raw[:0]
	return err
}

// closeGroup ends the group of the inode that was put last: its inodes up to
// that one are in use, the others are not and never were.
func (t *table) closeGroup() error {
	if err := t.flush(); err != nil {
		return err
	}
	g, index := t.m.groupOf(t.next - 1)
	used, all := int64(index+1), int64(t.m.inodesPerGroup())
	d, bits := t.m.group(g), new(bitmap)
	bits.set(0, used)
	bits.set(all, 8*blockSize)
	d.setHalf(gdFreeInodes, uint32(all-used))
	d.setHalf(gdUnused, uint32(all-used))
	d.setHalf(gdUsedDirs, t.dirs)
	d.setHalf(gdInodeBitmapCs, t.m.bitmapChecksum(bits[:all/8]))
	d.setFlags(0, gdInodeUninit)
	t.dirs = 0
	_, err := t.m.f.WriteAt(bits[:], d.block(gdInodeBitmap)*blockSize)
	return err
}

// close ends the last group.
func (t *table) close() error {
	if _, index := t.m.groupOf(t.next); index == 0 {
		return nil // it is ended
	}
	return t.closeGroup()
}
