// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// descriptors checks the descriptors of the groups, and reports whether what
// they describe can be looked at.
func (c *checker) descriptors() (sound bool) {
	sound = true
	for g := range c.groupCount() {
		d := c.group(g)
		if le.Uint16(d[gdChecksum:]) != c.groupChecksum(g) {
			c.tell("group %d: the descriptor does not match its checksum", g)
			sound = false
			continue
		}
		if d.has(^uint16(gdInodeUninit | gdBlockUninit | gdInodeZeroed)) {
			c.tell("group %d: unknown flags %#x", g, le.Uint16(d[gdFlags:]))
		}
		for _, e := range c.parts(g) {
			if e.physical <= 0 || e.physical >= c.Blocks() || e.physical+e.count > c.Blocks() {
				c.tell("group %d: block %d, of %d", g, e.physical, c.Blocks())
				sound = false
			}
		}
	}
	return sound
}

// bitmaps holds the bitmaps of blocks against what has an owner.
func (c *checker) bitmaps() error {
	for g := range c.groupCount() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.ownedIn(g); err != nil {
			return err
		}
	}
	return nil
}

// ownedIn checks the bitmap of a group's blocks.
func (c *checker) ownedIn(g int64) error {
	d, owned := c.group(g), c.owned[g]
	if owned == nil {
		owned = new(bitmap)
	}
	free := owned.zeros(c.groupBlocks(g))
	c.freeBlocks += free
	if said := int64(d.half(gdFreeBlocks)); said != free {
		c.tell("group %d: %d blocks free, the descriptor says %d", g, free, said)
	}
	owned.set(c.groupBlocks(g), 8*blockSize)
	if d.has(gdBlockUninit) {
		if err := c.unwritten(g, gdBlockBitmap, gdBlockBitmapCs, "block"); err != nil {
			return err
		}
	}
	bits, err := c.readBlockBitmap(g)
	if err != nil {
		return c.judge(err, "group %d", g)
	}
	c.compare(bits, owned, g*c.blocksPerGroup(), "block")
	return nil
}

// compare tells where a bitmap is not as it must be.
func (c *checker) compare(bits, want *bitmap, first int64, what string) {
	at := firstDifference(bits[:], want[:])
	if at < 0 {
		return
	}
	i := int64(8 * at)
	for bits.has(i) == want.has(i) {
		i++
	}
	if bits.has(i) {
		c.tell("%s %d is marked as used, and nothing is in it", what, first+i)
	} else {
		c.tell("%s %d is marked as free, and is not", what, first+i)
	}
}

// unwritten checks a bitmap that the descriptor says was never written.
func (c *checker) unwritten(g int64, field, checksum int, what string) error {
	d := c.group(g)
	if d.half(checksum) != 0 {
		c.tell("group %d: a checksum of the %s bitmap, which was never written", g, what)
	}
	return c.zeros(d.block(field), 1, fmt.Sprintf("group %d: the %s bitmap, which was never written", g, what))
}

// inodesIn checks what a group says of its inodes, which is what used is, the
// highest and how many directories.
func (c *checker) inodesIn(g int64, used *bitmap, highest int64, dirs uint32) error {
	d, all := c.group(g), int64(c.inodesPerGroup())
	free := used.zeros(all)
	c.freeInodes += free
	for _, count := range []struct {
		what  string
		field int
		want  uint32
	}{
		{"free inodes", gdFreeInodes, uint32(free)},
		{"directories", gdUsedDirs, dirs},
		{"inodes never used", gdUnused, uint32(all - highest)},
	} {
		if said := d.half(count.field); said != count.want {
			c.tell("group %d: %d %s, the descriptor says %d", g, count.want, count.what, said)
		}
	}
	if d.has(gdInodeUninit) {
		if free < all {
			c.tell("group %d: has inodes, the descriptor says that it never had", g)
		}
		return c.unwritten(g, gdInodeBitmap, gdInodeBitmapCs, "inode")
	}
	raw, err := c.read(d.block(gdInodeBitmap), 1)
	if err != nil {
		return err
	}
	if d.half(gdInodeBitmapCs) != c.bitmapChecksum(raw[:all/8]) {
		c.tell("group %d: the inode bitmap does not match its checksum", g)
	}
	used.set(all, 8*blockSize)
	c.compare((*bitmap)(raw), used, g*all+1, "inode")
	return nil
}

// counts checks the superblock's counts.
func (c *checker) counts() {
	if c.FreeBlocks() != c.freeBlocks {
		c.tell("superblock: %d blocks are free, not %d", c.freeBlocks, c.FreeBlocks())
	}
	if c.FreeInodes() != c.freeInodes {
		c.tell("superblock: %d inodes are free, not %d", c.freeInodes, c.FreeInodes())
	}
}
