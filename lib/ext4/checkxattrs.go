// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"maps"
	"slices"

	"banger/lib/tree"
)

// Sharers are the inodes that share a block of attributes: how many there are,
// and how many the block says.
type sharers struct{ found, said uint32 }

// A value is what an attribute says of the inode that has its value.
type value struct {
	owner *tree.Inode
	size  int64
	hash  uint32
}

// attributes checks the extended attributes of an inode, and enters them into
// what it must be. It returns how many blocks they take.
func (c *checker) attributes(n *tree.Inode, raw, want []byte) (blocks int64, err error) {
	copy(want[inXattrBlock:inXattrBlock+4], raw[inXattrBlock:])
	copy(want[inXattrHi:inXattrHi+2], raw[inXattrHi:])
	if body := raw[inXattrs:inodeSize]; le.Uint32(body) == xattrMagic {
		all, err := c.attributesIn(body[4:], 0)
		if err != nil {
			return 0, err
		}
		if room(all) > xattrRoom {
			return 0, errXattr
		}
		blocks += c.valuesOf(n, all)
		c.setXattrs(want, all)
		c.order(n.Ino, all)
	}
	c.once(n)
	physical := xattrBlockOf(raw)
	if physical == 0 {
		return blocks, nil
	}
	values, err := c.attributeBlock(n, physical)
	return blocks + 1 + values, err
}

// once tells an attribute that is there twice, if only in the inode and in its
// block: the kernel returns the first, and who reads all may take the other.
func (c *checker) once(n *tree.Inode) {
	for i := 1; i < len(n.Xattrs); i++ {
		if name := n.Xattrs[i].Name; name == n.Xattrs[i-1].Name {
			c.tell("inode %d: has %s twice", n.Ino, name)
			return
		}
	}
}

// order tells attributes that the kernel would not find, or add to.
func (c *checker) order(ino uint32, all []attribute) {
	for i := 1; i < len(all); i++ {
		if inOrder(all[i-1], all[i]) > 0 {
			c.tell("inode %d: its xattrs are not in order", ino)
			return
		}
	}
}

// attributeBlock checks a block of attributes, unless another inode that shares
// it was here before. It returns how many blocks its values take.
func (c *checker) attributeBlock(n *tree.Inode, physical int64) (blocks int64, err error) {
	if known := c.shared[physical]; known != nil {
		known.found++
		return 0, nil
	}
	have, err := c.readXattrBlock(physical)
	if err != nil {
		return 0, err
	}
	c.claim(physical, 1, holder{"the xattrs of inode", int64(n.Ino)})
	if said := le.Uint32(have[xbRefcount:]); said != 1 {
		c.shared[physical] = &sharers{1, said}
	}
	all, err := c.attributesIn(have, xbEntries)
	if err != nil {
		return 0, err
	}
	if room(all) > blockRoom {
		return 0, errXattr
	}
	c.order(n.Ino, all)
	want := c.xattrBlock(all)
	copy(want[xbRefcount:xbRefcount+4], have[xbRefcount:])
	copy(want[xbChecksum:xbChecksum+4], have[xbChecksum:])
	if at := firstDifference(have, want); at >= 0 {
		c.tell("inode %d: its block of xattrs, %d, is not as it must be, byte %#x", n.Ino, physical, at)
	}
	return c.valuesOf(n, all), nil
}

// sharedBlocks checks how many inodes share each block of attributes.
func (c *checker) sharedBlocks() {
	for _, physical := range slices.Sorted(maps.Keys(c.shared)) {
		if s := c.shared[physical]; s.found != s.said || s.said > maxXattrRefs {
			c.tell("block %d: the xattrs of %d inodes, it says %d", physical, s.found, s.said)
		}
	}
}

// valuesOf enters the inodes that have values of attributes, and returns how
// many blocks those take.
func (c *checker) valuesOf(n *tree.Inode, all []attribute) (blocks int64) {
	for _, a := range all {
		if a.inode == 0 {
			continue
		}
		if _, known := c.values[a.inode]; known {
			c.tell("inode %d: has the value of two xattrs", a.inode)
		}
		if c.u32(sbIncompat)&eaInode == 0 {
			c.tell("inode %d: has a value in inode %d, without the feature ea_inode", n.Ino, a.inode)
		}
		c.values[a.inode] = value{n, int64(len(a.value)), c.valueHash(a.value)}
		blocks += blocksOf(int64(len(a.value)))
	}
	return blocks
}

// value checks an inode that has a value, of which reading the attribute has
// told that it has that hash.
func (c *checker) value(ino uint32, raw []byte, v value) error {
	f := File{image: c.Image}
	blocks, end, err := c.claimExtents(ino, raw, func(e extent) { f.extents = append(f.extents, e) })
	if err != nil {
		return c.judge(err, "inode %d", ino)
	}
	want := newValueInode(v.owner, v.size, v.hash)
	copy(want[inBlock:inBlock+60], raw[inBlock:])
	setBlocks(want, blocks)
	c.sealInode(ino, want)
	c.compareInode(ino, raw, want)
	f.Size = blocksOf(v.size) * blockSize
	if end*blockSize != f.Size || !f.whole() {
		c.tell("inode %d: blocks are missing, or more than the value has", ino)
		return nil
	}
	rest := make([]byte, f.Size-v.size)
	if _, err := f.ReadAt(rest, v.size); err != nil {
		return c.judge(err, "inode %d", ino)
	}
	if firstNonzero(rest) >= 0 {
		c.tell("inode %d: what follows the value is not zeros", ino)
	}
	return nil
}
