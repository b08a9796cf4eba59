// SPDX-License-Identifier: Apache-2.0

package ext4

import "bytes"

// The resize inode keeps blocks free behind the descriptors, for more of those.
// Its content is one doubly indirect block: an entry for each of these blocks in
// group 0, which has for content the numbers of the same block in the other
// groups that have copies (resize_inode; lib/ext2fs/res_gdt.c). No checksum
// covers any of it.
const (
	addrs      = blockSize / 4 // of blocks in a block
	resizeMax  = addrs
	resizeSize = (12 + addrs + addrs*addrs) * blockSize
	doubly     = inBlock + 13*4 // the inode's doubly indirect block
)

// copies are the groups other than the first that have copies of the descriptors.
func (m *Image) copies() (groups []int64) {
	for g := int64(1); g < m.groupCount(); g++ {
		if hasBackup(g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// resizeBlocks checks the blocks that are kept free.
func (c *checker) resizeBlocks() error {
	first, count, copies := 1+c.descBlocks(), c.reservedBlocks(), c.copies()
	for _, g := range copies {
		if err := c.zeros(g*c.blocksPerGroup()+first, count, "kept for descriptors"); err != nil {
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
			c.tell("block %d, kept for descriptors, is not as it must be, byte %#x", at, i)
		}
	}
	return nil
}

// resizeInode checks the inode that has them.
func (c *checker) resizeInode(raw []byte) error {
	want := newReserved()
	setSize(want, resizeSize)
	setBlocks(want, 1+c.reservedBlocks()*int64(1+len(c.copies())))
	copy(want[doubly:doubly+4], raw[doubly:])
	c.compareReserved(resizeIno, raw, want)
	return c.resizeIndex(int64(le.Uint32(raw[doubly:])))
}

// resizeIndex checks the block that leads to them.
func (c *checker) resizeIndex(physical int64) error {
	if physical == 0 || physical >= c.Blocks() {
		c.tell("inode %d: block %d, of %d", resizeIno, physical, c.Blocks())
		return nil
	}
	c.claim(physical, 1, holder{"inode", resizeIno})
	have, err := c.read(physical, 1)
	if err != nil {
		return err
	}
	want := bytes.Clone(zeroBlock[:])
	for at := 1 + c.descBlocks(); at <= c.descBlocks()+c.reservedBlocks(); at++ {
		le.PutUint32(want[(at-1)%addrs*4:], uint32(at))
	}
	if i := firstDifference(have, want); i >= 0 {
		c.tell("block %d, of inode %d, is not as it must be, byte %#x", physical, resizeIno, i)
	}
	return nil
}
