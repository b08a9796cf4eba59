// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// descriptors checks the group descriptors, and reports whether they can be used
// to check the rest.
func (c *checker) descriptors() (sound bool) {
	sound = true
	for g := range c.groupCount() {
		d := c.desc(g)
		if le.Uint16(d[gdChecksum:]) != c.groupChecksum(g) {
			c.problem("group %d: descriptor does not match its checksum", g)
			sound = false
			continue
		}
		if d.has(^uint16(gdInodeUninit | gdBlockUninit | gdInodeZeroed)) {
			c.problem("group %d: unknown flags %#x", g, le.Uint16(d[gdFlags:]))
		}
		for _, e := range c.groupMetadata(g) {
			if e.physical <= 0 || e.physical >= c.Blocks() || e.physical+e.count > c.Blocks() {
				c.problem("group %d: invalid block %d (%d blocks)", g, e.physical, c.Blocks())
				sound = false
			}
		}
	}
	return sound
}

// bitmaps compares the block bitmaps with the blocks that have an owner.
func (c *checker) bitmaps() error {
	for g := range c.groupCount() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.checkBlockBitmap(g); err != nil {
			return err
		}
	}
	return nil
}

// checkBlockBitmap checks the block bitmap of a group.
func (c *checker) checkBlockBitmap(g int64) error {
	d, owned := c.desc(g), c.owned[g]
	if owned == nil {
		owned = new(bitmap)
	}
	free := owned.countZeros(c.groupBlocks(g))
	c.freeBlocks += free
	if got := int64(d.u32(gdFreeBlocks)); got != free {
		c.problem("group %d: free blocks is %d, should be %d", g, got, free)
	}
	owned.set(c.groupBlocks(g), 8*blockSize)
	if d.has(gdBlockUninit) {
		if err := c.checkUninitBitmap(g, gdBlockBitmap, gdBlockBitmapCs, "block"); err != nil {
			return err
		}
	}
	bits, err := c.readBlockBitmap(g)
	if err != nil {
		return c.imageError(err, "group %d", g)
	}
	c.compareBitmap(bits, owned, g*c.blocksPerGroup(), "block")
	return nil
}

// compareBitmap reports the first difference between two bitmaps.
func (c *checker) compareBitmap(bits, want *bitmap, first int64, what string) {
	at := firstDifference(bits[:], want[:])
	if at < 0 {
		return
	}
	i := int64(8 * at)
	for bits.has(i) == want.has(i) {
		i++
	}
	if bits.has(i) {
		c.problem("%s %d is marked in use but is free", what, first+i)
	} else {
		c.problem("%s %d is marked free but is in use", what, first+i)
	}
}

// checkUninitBitmap checks a bitmap that is uninitialized according to the
// descriptor.
func (c *checker) checkUninitBitmap(g int64, field, checksum int, what string) error {
	d := c.desc(g)
	if d.u32(checksum) != 0 {
		c.problem("group %d: uninitialized %s bitmap has a checksum", g, what)
	}
	return c.checkZeros(d.block(field), 1, fmt.Sprintf("group %d: uninitialized %s bitmap", g, what))
}

// checkInodeBitmap checks the inode bitmap and counts of a group, given the used
// inodes, the highest of them and the number of directories.
func (c *checker) checkInodeBitmap(g int64, used *bitmap, highest int64, dirs uint32) error {
	d, all := c.desc(g), int64(c.inodesPerGroup())
	free := used.countZeros(all)
	c.freeInodes += free
	for _, count := range []struct {
		what  string
		field int
		want  uint32
	}{
		{"free inodes", gdFreeInodes, uint32(free)},
		{"directories", gdUsedDirs, dirs},
		{"unused inodes", gdUnused, uint32(all - highest)},
	} {
		if got := d.u32(count.field); got != count.want {
			c.problem("group %d: %s is %d, should be %d", g, count.what, got, count.want)
		}
	}
	if d.has(gdInodeUninit) {
		if free < all {
			c.problem("group %d: INODE_UNINIT is set but inodes are in use", g)
		}
		return c.checkUninitBitmap(g, gdInodeBitmap, gdInodeBitmapCs, "inode")
	}
	raw, err := c.read(d.block(gdInodeBitmap), 1)
	if err != nil {
		return err
	}
	if d.u32(gdInodeBitmapCs) != c.bitmapChecksum(raw[:all/8]) {
		c.problem("group %d: inode bitmap does not match its checksum", g)
	}
	used.set(all, 8*blockSize)
	c.compareBitmap((*bitmap)(raw), used, g*all+1, "inode")
	return nil
}

// checkCounts checks the counts in the superblock.
func (c *checker) checkCounts() {
	if c.FreeBlocks() != c.freeBlocks {
		c.problem("superblock: free blocks is %d, should be %d", c.FreeBlocks(), c.freeBlocks)
	}
	if c.FreeInodes() != c.freeInodes {
		c.problem("superblock: free inodes is %d, should be %d", c.FreeInodes(), c.freeInodes)
	}
}
