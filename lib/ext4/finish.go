// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// finish writes the group descriptors, the superblock and their backups, after
// everything else is written.
func (m *Image) finish() error {
	if err := m.initBackupGroups(); err != nil {
		return err
	}
	freeBlocks, freeInodes := int64(0), uint32(0)
	for g := range m.groupCount() {
		d := m.desc(g)
		// The unused part of the inode table is a hole, so the guest need not
		// zero it.
		d.setFlags(gdInodeZeroed, 0)
		le.PutUint16(d[gdChecksum:], m.groupChecksum(g))
		freeBlocks += int64(d.u32(gdFreeBlocks))
		freeInodes += d.u32(gdFreeInodes)
	}
	for g := range m.groupCount() {
		if hasSuper(g) {
			if _, err := m.f.WriteAt(m.descs, (g*m.blocksPerGroup()+1)*blockSize); err != nil {
				return err
			}
		}
	}
	return m.editSuper(func(sb []byte) {
		le.PutUint32(sb[sbFreeBlocksLo:], uint32(freeBlocks))
		le.PutUint32(sb[sbFreeBlocksHi:], uint32(freeBlocks>>32))
		le.PutUint32(sb[sbFreeInodes:], freeInodes)
		normalizeSuper(sb)
	})
}

// initBackupGroups writes the block bitmaps of the groups that hold a backup
// superblock. mke2fs before 1.47.1 leaves them unwritten (BLOCK_UNINIT) if the
// group holds no file; later versions write them. With all of them written, the
// bytes do not depend on the version.
func (m *Image) initBackupGroups() error {
	for g := range m.groupCount() {
		if !hasSuper(g) || !m.desc(g).has(gdBlockUninit) {
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

// normalizeSuper sets the superblock fields that mke2fs derives from the machine
// to fixed values.
func normalizeSuper(sb []byte) {
	le.PutUint32(sb[sbFlags:], flagSignedHash)
	clear(sb[sbKBytesWritten : sbKBytesWritten+8])
}
