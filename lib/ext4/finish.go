// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// finish writes the descriptors of the groups and the superblock, and their
// backups, once everything else is there.
func (m *Image) finish() error {
	if err := m.initBackupGroups(); err != nil {
		return err
	}
	freeBlocks, freeInodes := int64(0), uint32(0)
	for g := range m.groupCount() {
		d := m.group(g)
		// Nobody has written into the file but mke2fs and we: what is unused
		// of a table is a hole, and the guest need not write zeros there.
		d.setFlags(gdInodeZeroed, 0)
		le.PutUint16(d[gdChecksum:], m.groupChecksum(g))
		freeBlocks += int64(d.half(gdFreeBlocks))
		freeInodes += d.half(gdFreeInodes)
	}
	for g := range m.groupCount() {
		if hasBackup(g) {
			if _, err := m.f.WriteAt(m.groups, (g*m.blocksPerGroup()+1)*blockSize); err != nil {
				return err
			}
		}
	}
	return m.editSuper(func(sb []byte) {
		le.PutUint32(sb[sbFreeBlocksLo:], uint32(freeBlocks))
		le.PutUint32(sb[sbFreeBlocksHi:], uint32(freeBlocks>>32))
		le.PutUint32(sb[sbFreeInodes:], freeInodes)
		ours(sb)
	})
}

// initBackupGroups writes the block bitmaps of the groups that hold a backup of
// the superblock. mke2fs does so since 1.47.1; before, it left those bitmaps
// unwritten (BLOCK_UNINIT) where a group holds no file. So the bytes are the same
// whichever version made the filesystem.
func (m *Image) initBackupGroups() error {
	for g := range m.groupCount() {
		if !hasBackup(g) || !m.group(g).has(gdBlockUninit) {
			continue
		}
		bits, err := m.blockBitmap(g)
		if err == nil {
			err = m.writeBlockBitmap(g, bits)
		}
		if err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
	}
	return nil
}

// ours makes what depends on the machine in a superblock what it always is.
func ours(sb []byte) {
	le.PutUint32(sb[sbFlags:], flagSignedHash)
	clear(sb[sbKBytesWritten : sbKBytesWritten+8])
}
