// SPDX-License-Identifier: Apache-2.0

package ext4

import "bytes"

// The resize inode owns the reserved GDT blocks after the group descriptors. Its
// content is one doubly indirect block with an entry for each reserved block in
// group 0, which in turn lists the same block in each backup group (resize_inode;
// lib/ext2fs/res_gdt.c). No checksum covers any of it.
const (
	addrsPerBlock    = blockSize / 4 // block numbers per block
	maxReservedGDT   = addrsPerBlock
	resizeSize       = (12 + addrsPerBlock + addrsPerBlock*addrsPerBlock) * blockSize
	inDoubleIndirect = inBlock + 13*4 // field of the doubly indirect block
)

// backupGroups returns the groups with backups of superblock and descriptors.
func (m *Image) backupGroups() (groups []int64) {
	for g := int64(1); g < m.groupCount(); g++ {
		if hasSuper(g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// resizeBlocks checks the reserved GDT blocks.
func (c *checker) resizeBlocks() error {
	first, count, copies := 1+c.descBlocks(), c.reservedBlocks(), c.backupGroups()
	for _, g := range copies {
		if err := c.checkZeros(g*c.blocksPerGroup()+first, count, "reserved GDT blocks"); err != nil {
			return err
		}
	}
	for at := first; at < first+count; at++ {
		want := make([]byte, blockSize)
		for i, g := range copies {
			le.PutUint32(want[4*i:], uint32(g*c.blocksPerGroup()+at))
		}
		have, err := c.read(at, 1)
		if err != nil {
			return err
		}
		if i := firstDifference(have, want); i >= 0 {
			c.problem("reserved GDT block %d differs at byte %#x", at, i)
		}
	}
	return nil
}

// resizeInode checks the resize inode.
func (c *checker) resizeInode(raw []byte) error {
	want := newReserved()
	setSize(want, resizeSize)
	setBlocks(want, 1+c.reservedBlocks()*int64(1+len(c.backupGroups())))
	copy(want[inDoubleIndirect:inDoubleIndirect+4], raw[inDoubleIndirect:])
	c.compareReserved(resizeIno, raw, want)
	return c.resizeIndex(int64(le.Uint32(raw[inDoubleIndirect:])))
}

// resizeIndex checks the doubly indirect block of the resize inode.
func (c *checker) resizeIndex(physical int64) error {
	if physical == 0 || physical >= c.Blocks() {
		c.problem("inode %d: invalid block %d (%d blocks)", resizeIno, physical, c.Blocks())
		return nil
	}
	c.claim(physical, 1, blockOwner{"inode", resizeIno})
	have, err := c.read(physical, 1)
	if err != nil {
		return err
	}
	want := bytes.Clone(zeroBlock[:])
	for at := 1 + c.descBlocks(); at <= c.descBlocks()+c.reservedBlocks(); at++ {
		le.PutUint32(want[(at-1)%addrsPerBlock*4:], uint32(at))
	}
	if i := firstDifference(have, want); i >= 0 {
		c.problem("inode %d: block %d differs at byte %#x", resizeIno, physical, i)
	}
	return nil
}
