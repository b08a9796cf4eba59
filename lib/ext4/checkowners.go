// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"fmt"
	"slices"

	"banger/lib/tree"
)

// A holder is what blocks belong to: something of a group's, or of an inode's.
type holder struct {
	what   string
	number int64
}

func (h holder) String() string { return fmt.Sprintf("%s %d", h.what, h.number) }

// claim enters the owner of blocks, all of which are in the filesystem.
func (c *checker) claim(first, count int64, by holder) {
	for count > 0 {
		g := first / c.blocksPerGroup()
		if c.owned[g] == nil {
			c.owned[g] = new(bitmap)
		}
		from := first % c.blocksPerGroup()
		to := min(from+count, c.blocksPerGroup())
		if at := c.owned[g].next(from, to, true); at < to {
			c.tell("block %d has two owners, the second is %s", g*c.blocksPerGroup()+at, by)
		}
		c.owned[g].set(from, to)
		first, count = first+to-from, count-(to-from)
	}
}

// fixed claims what the filesystem itself takes: superblocks, descriptors, what
// is kept free for more of those, bitmaps and inode tables.
func (c *checker) fixed() error {
	for g := range c.groupCount() {
		if hasBackup(g) {
			c.claim(g*c.blocksPerGroup(), c.copyBlocks(), holder{"the superblock and descriptors of group", g})
		}
		for i, e := range c.parts(g) {
			what := []string{"the block bitmap of group", "the inode bitmap of group", "the inode table of group"}[i]
			c.claim(e.physical, e.count, holder{what, g})
		}
	}
	return nil
}

// claimExtents claims what an inode's content and its extent tree take, visit
// hearing of the content. It returns how many blocks that is, and where the
// content ends.
func (c *checker) claimExtents(ino uint32, raw []byte, visit func(extent)) (blocks, end int64, err error) {
	by := holder{"inode", int64(ino)}
	err = c.extentTree(ino, raw, func(physical int64) {
		c.claim(physical, 1, by)
		blocks++
	}, func(e extent) error {
		c.claim(e.physical, e.count, by)
		blocks, end = blocks+e.count, e.logical+e.count
		visit(e)
		return nil
	})
	return blocks, end, err
}

// byNumber sorts inodes, each once.
func byNumber(inodes []*tree.Inode) []*tree.Inode {
	slices.SortFunc(inodes, func(a, b *tree.Inode) int { return cmp.Compare(a.Ino, b.Ino) })
	return slices.Compact(inodes)
}
