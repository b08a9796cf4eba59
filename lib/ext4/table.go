// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// A table writes consecutive inodes into the inode tables. It does not touch the
// part after the last inode.
type table struct {
	m    *Image
	next uint32 // number of the next inode
	raw  []byte // inodes not written yet, up to next
	dirs uint32 // directories in the current group
}

// tableChunk is the size of writes in bytes.
const tableChunk = 256 << 10

// newTable returns a table that starts with the reserved inodes of mke2fs.
func newTable(m *Image) (*table, error) {
	t := &table{m: m, next: lostFoundIno, raw: make([]byte, (lostFoundIno-1)*inodeSize, tableChunk)}
	if m.inodesPerGroup() < lostFoundIno {
		return nil, fmt.Errorf("too few inodes per group: %d", m.inodesPerGroup())
	}
	_, err := m.f.ReadAt(t.raw, m.inodeTableOffset(0))
	return t, noEOF(err)
}

// put adds an inode and sets its checksum. The root must be the first.
func (t *table) put(ino uint32, raw []byte, dir bool) error {
	t.m.setInodeChecksum(ino, raw)
	if dir {
		t.dirs++
	}
	switch {
	case ino == rootIno && t.next == lostFoundIno:
		copy(t.raw[(rootIno-1)*inodeSize:], raw)
		return nil
	case ino != t.next:
		return fmt.Errorf("inode %d out of order, want %d", ino, t.next)
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

// flush writes the inodes in t.raw.
func (t *table) flush() error {
	if len(t.raw) == 0 {
		return nil
	}
	g, index := t.m.groupOf(t.next - 1)
	at := t.m.inodeTableOffset(g) + int64(index+1)*inodeSize - int64(len(t.raw))
	_, err := t.m.f.WriteAt(t.raw, at)
	t.raw = t.raw[:0]
	return err
}

// closeGroup writes the inode bitmap and the descriptor of the group of the last
// inode. All inodes up to that one are in use; the others were never used.
func (t *table) closeGroup() error {
	if err := t.flush(); err != nil {
		return err
	}
	g, index := t.m.groupOf(t.next - 1)
	used, all := int64(index+1), int64(t.m.inodesPerGroup())
	d, bits := t.m.desc(g), new(bitmap)
	bits.set(0, used)
	bits.set(all, 8*blockSize)
	d.setU32(gdFreeInodes, uint32(all-used))
	d.setU32(gdUnused, uint32(all-used))
	d.setU32(gdUsedDirs, t.dirs)
	d.setU32(gdInodeBitmapCs, t.m.bitmapChecksum(bits[:all/8]))
	d.setFlags(0, gdInodeUninit)
	t.dirs = 0
	_, err := t.m.f.WriteAt(bits[:], d.block(gdInodeBitmap)*blockSize)
	return err
}

// close closes the last group.
func (t *table) close() error {
	if _, index := t.m.groupOf(t.next); index == 0 {
		return nil // closed by put
	}
	return t.closeGroup()
}
