// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"maps"
	"slices"

	"banger/lib/tree"
)

// A blockRefs holds the references to an xattr block: those found, and the number
// in the block.
type blockRefs struct{ found, refcount uint32 }

// An eaValue describes the EA inode that an attribute refers to.
type eaValue struct {
	owner *tree.Inode
	size  int64
	hash  uint32
}

// attributes checks the xattrs of an inode and sets the fields of want that depend
// on them. It returns the number of blocks that they take.
func (c *checker) attributes(n *tree.Inode, raw, want []byte) (blocks int64, err error) {
	copy(want[inXattrBlock:inXattrBlock+4], raw[inXattrBlock:])
	copy(want[inXattrHi:inXattrHi+2], raw[inXattrHi:])
	if body := raw[inXattrs:inodeSize]; le.Uint32(body) == xattrMagic {
		all, err := c.attributesIn(body[4:], 0)
		if err != nil {
			return 0, err
		}
		if xattrSize(all) > xattrRoom {
			return 0, errXattr
		}
		blocks += c.addEAInodes(n, all)
		c.setXattrs(want, all)
		c.checkOrder(n.Ino, all)
	}
	c.checkDuplicates(n)
	physical := xattrBlockOf(raw)
	if physical == 0 {
		return blocks, nil
	}
	values, err := c.attributeBlock(n, physical)
	return blocks + 1 + values, err
}

// checkDuplicates reports an xattr with two values, which different readers may
// resolve differently. One may be in the inode and one in the xattr block.
func (c *checker) checkDuplicates(n *tree.Inode) {
	for i := 1; i < len(n.Xattrs); i++ {
		if name := n.Xattrs[i].Name; name == n.Xattrs[i-1].Name {
			c.problem("inode %d: duplicate xattr %s", n.Ino, name)
			return
		}
	}
}

// checkOrder reports unsorted attributes, which the kernel might not find.
func (c *checker) checkOrder(ino uint32, all []attribute) {
	for i := 1; i < len(all); i++ {
		if compareAttributes(all[i-1], all[i]) > 0 {
			c.problem("inode %d: xattrs out of order", ino)
			return
		}
	}
}

// attributeBlock checks an xattr block the first time that an inode refers to it.
// It returns the number of blocks of its EA inodes.
func (c *checker) attributeBlock(n *tree.Inode, physical int64) (blocks int64, err error) {
	if known := c.shared[physical]; known != nil {
		known.found++
		return 0, nil
	}
	have, err := c.readXattrBlock(physical)
	if err != nil {
		return 0, err
	}
	c.claim(physical, 1, blockOwner{"the xattrs of inode", int64(n.Ino)})
	if refcount := le.Uint32(have[xbRefcount:]); refcount != 1 {
		c.shared[physical] = &blockRefs{1, refcount}
	}
	all, err := c.attributesIn(have, xbEntries)
	if err != nil {
		return 0, err
	}
	if xattrSize(all) > xattrBlockRoom {
		return 0, errXattr
	}
	c.checkOrder(n.Ino, all)
	want := c.xattrBlock(all)
	copy(want[xbRefcount:xbRefcount+4], have[xbRefcount:])
	copy(want[xbChecksum:xbChecksum+4], have[xbChecksum:])
	if at := firstDifference(have, want); at >= 0 {
		c.problem("inode %d: xattr block %d differs at byte %#x", n.Ino, physical, at)
	}
	return c.addEAInodes(n, all), nil
}

// sharedBlocks checks the reference counts of shared xattr blocks.
func (c *checker) sharedBlocks() {
	for _, physical := range slices.Sorted(maps.Keys(c.shared)) {
		if s := c.shared[physical]; s.found != s.refcount || s.refcount > maxXattrRefs {
			c.problem("xattr block %d: reference count is %d, should be %d", physical, s.refcount, s.found)
		}
	}
}

// addEAInodes records the EA inodes of n, and returns the number of their blocks.
func (c *checker) addEAInodes(n *tree.Inode, all []attribute) (blocks int64) {
	for _, a := range all {
		if a.inode == 0 {
			continue
		}
		if _, known := c.values[a.inode]; known {
			c.problem("EA inode %d has two references", a.inode)
		}
		if c.u32(sbIncompat)&eaInode == 0 {
			c.problem("inode %d: EA inode %d without feature ea_inode", n.Ino, a.inode)
		}
		c.values[a.inode] = eaValue{n, int64(len(a.value)), c.valueHash(a.value)}
		blocks += blocksOf(int64(len(a.value)))
	}
	return blocks
}

// checkEAInode checks an EA inode. The hash of its value was checked when the
// xattr was read.
func (c *checker) checkEAInode(ino uint32, raw []byte, v eaValue) error {
	f := File{image: c.Image}
	blocks, end, err := c.claimExtents(ino, raw, func(e extent) { f.extents = append(f.extents, e) })
	if err != nil {
		return c.imageError(err, "inode %d", ino)
	}
	want := newEAInode(v.owner, v.size, v.hash)
	copy(want[inBlock:inBlock+60], raw[inBlock:])
	setBlocks(want, blocks)
	c.setInodeChecksum(ino, want)
	c.compareInode(ino, raw, want)
	f.Size = blocksOf(v.size) * blockSize
	if end*blockSize != f.Size || !f.whole() {
		c.problem("EA inode %d: blocks do not match the size of the value", ino)
		return nil
	}
	rest := make([]byte, f.Size-v.size)
	if _, err := f.ReadAt(rest, v.size); err != nil {
		return c.imageError(err, "inode %d", ino)
	}
	if firstNonzero(rest) >= 0 {
		c.problem("EA inode %d: nonzero bytes after the value", ino)
	}
	return nil
}
