// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"fmt"
	"slices"

	"banger/lib/tree"
)

// A blockOwner is the group metadata or the inode that blocks belong to.
type blockOwner struct {
	what   string
	number int64
}

func (h blockOwner) String() string { return fmt.Sprintf("%s %d", h.what, h.number) }

// claim marks blocks as in use by owner. All must be within the filesystem.
func (c *checker) claim(first, count int64, owner blockOwner) {
	for count > 0 {
		g := first / c.blocksPerGroup()
		if c.owned[g] == nil {
			c.owned[g] = new(bitmap)
		}
		from := first % c.blocksPerGroup()
		to := min(from+count, c.blocksPerGroup())
		if at := c.owned[g].next(from, to, true); at < to {
			c.problem("multiply-claimed block %d: also claimed by %s", g*c.blocksPerGroup()+at, owner)
		}
		c.owned[g].set(from, to)
		first, count = first+to-from, count-(to-from)
	}
}

// claimMetadata claims the superblocks, group descriptors, reserved GDT blocks,
// bitmaps and inode tables.
func (c *checker) claimMetadata() error {
	for g := range c.groupCount() {
		if hasSuper(g) {
			c.claim(g*c.blocksPerGroup(), c.superBlocks(), blockOwner{"the superblock and descriptors of group", g})
		}
		for i, e := range c.groupMetadata(g) {
			what := []string{"the block bitmap of group", "the inode bitmap of group", "the inode table of group"}[i]
			c.claim(e.physical, e.count, blockOwner{what, g})
		}
	}
	return nil
}

// claimExtents claims the blocks of an inode's content and extent tree, and calls
// visit for each extent. It returns the number of blocks and the logical end of
// the content.
func (c *checker) claimExtents(ino uint32, raw []byte, visit func(extent)) (blocks, end int64, err error) {
	owner := blockOwner{"inode", int64(ino)}
	err = c.visitExtentTree(ino, raw, func(physical int64) {
		c.claim(physical, 1, owner)
		blocks++
	}, func(e extent) error {
		c.claim(e.physical, e.count, owner)
		blocks, end = blocks+e.count, e.logical+e.count
		visit(e)
		return nil
	})
	return blocks, end, err
}

// byNumber sorts inodes by number and removes duplicates.
func byNumber(inodes []*tree.Inode) []*tree.Inode {
	slices.SortFunc(inodes, func(a, b *tree.Inode) int { return cmp.Compare(a.Ino, b.Ino) })
	return slices.Compact(inodes)
}
