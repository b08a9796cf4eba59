// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"maps"
	"slices"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// tables goes through the inode tables, and looks at what each inode has.
func (c *checker) tables() error {
	for g := range c.groupCount() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.inodeTableOf(g); err != nil {
			return err
		}
	}
	for _, ino := range slices.Sorted(maps.Keys(c.values)) {
		c.tell("inode %d, which has a value of inode %d, is not behind it", ino, c.values[ino].owner.Ino)
	}
	c.sharedBlocks()
	return nil
}

// A slots is a group's inode table while it is gone through.
type slots struct {
	*checker
	group   int64
	used    bitmap
	highest int64  // used, counted from 1
	folders uint32 // used, those that are directories
}

// inodeTableOf goes through a group's inode table, and its inode bitmap.
func (c *checker) inodeTableOf(g int64) error {
	s := slots{checker: c, group: g}
	for first := uint32(0); first < c.inodesPerGroup(); first += tableChunk / inodeSize {
		part := c.table[:min(tableChunk, (c.inodesPerGroup()-first)*inodeSize)]
		if err := s.part(first, part); err != nil {
			return err
		}
	}
	return c.inodesIn(g, &s.used, s.highest, s.folders)
}

// part reads inodes from one on and looks at them, unless all of them are a hole,
// and none is one that the tree has.
func (s *slots) part(first uint32, raw []byte) error {
	at, count := s.inodeTable(s.group)+int64(first)*inodeSize, uint32(len(raw)/inodeSize)
	from, to, err := sparse.NextData(s.f, at)
	if err != nil {
		return err
	}
	before := uint32(s.group)*s.inodesPerGroup() + first
	if hole := from == to || from >= at+int64(len(raw)); hole && !s.expected(before+count) {
		return nil
	}
	if _, err := s.f.ReadAt(raw, at); err != nil {
		return short(err)
	}
	for i := range count {
		used, err := s.slot(before+i+1, raw[i*inodeSize:][:inodeSize])
		if err != nil {
			return err
		}
		if used {
			s.highest = int64(first+i) + 1
			s.used.set(s.highest-1, s.highest)
		}
	}
	return nil
}

// expected reports whether there is an inode up to a number that was not seen.
func (c *checker) expected(last uint32) bool {
	return len(c.inodes) > 0 && c.inodes[0].Ino <= last
}

// slot looks at one inode, and reports whether it is used.
func (s *slots) slot(ino uint32, raw []byte) (used bool, err error) {
	var n *tree.Inode
	if s.expected(ino) {
		n, s.inodes = s.inodes[0], s.inodes[1:]
	}
	v, isValue := s.values[ino]
	switch {
	case ino < lostFoundIno && ino != rootIno:
		if n != nil {
			s.tell("inode %d has a name, and is reserved", ino)
		}
		return true, s.reserved(ino, raw)
	case n != nil:
		if n.Type == tree.Dir {
			s.folders++
		}
		return true, s.named(n, raw)
	case isValue:
		delete(s.values, ino)
		return true, s.value(ino, raw, v)
	case le.Uint16(raw[inMode:]) != 0:
		s.tell("inode %d: no name leads to it", ino)
	case firstNonzero(raw) >= 0:
		s.tell("inode %d is unused, and not all zeros", ino)
	}
	return false, nil
}

// named checks an inode that has a name.
func (c *checker) named(n *tree.Inode, raw []byte) error {
	if !c.intact(n.Ino, raw) {
		c.tell("inode %d does not match its checksum", n.Ino)
		return nil
	}
	want := newInode(n)
	blocks, err := c.content(n, raw, want)
	if err != nil {
		return c.judge(err, "inode %d", n.Ino)
	}
	more, err := c.attributes(n, raw, want)
	if err != nil {
		return c.judge(err, "inode %d", n.Ino)
	}
	setBlocks(want, blocks+more)
	c.sealInode(n.Ino, want)
	c.compareInode(n.Ino, raw, want)
	return nil
}

// content checks where the content of an inode is, and enters what the inode
// must say of it. It returns how many blocks that is.
func (c *checker) content(n *tree.Inode, raw, want []byte) (blocks int64, err error) {
	fast := n.Type == tree.Symlink && len(n.Target) < fastSymlink
	if fast {
		setSize(want, int64(len(n.Target)))
		copy(want[inBlock:], n.Target)
	}
	if fast || n.Type != tree.Dir && n.Type != tree.File && n.Type != tree.Symlink {
		return 0, nil
	}
	f := File{Type: n.Type, image: c.Image}
	blocks, end, err := c.claimExtents(n.Ino, raw, func(e extent) { f.extents = append(f.extents, e) })
	if err != nil {
		return 0, err
	}
	flags := uint32(flagExtents)
	copy(want[inBlock:inBlock+60], raw[inBlock:])
	switch f.Size = end * blockSize; n.Type {
	case tree.Dir:
		flags |= le.Uint32(raw[inFlags:]) & flagIndex
		le.PutUint16(want[inLinks:], dirLinks(2+int(c.dirs[n.Ino].subdirs)))
		setSize(want, f.Size)
		err = c.directory(n, &f, flags&flagIndex != 0)
	case tree.Symlink:
		setSize(want, int64(len(n.Target)))
		err = c.target(n, &f)
	default:
		setSize(want, n.Size)
		if end > blocksOf(n.Size) {
			c.tell("inode %d: blocks up to %d, the last is %d", n.Ino, end, blocksOf(n.Size))
		}
	}
	le.PutUint32(want[inFlags:], flags)
	return blocks, err
}

// target checks the block that a symlink's target is in.
func (c *checker) target(n *tree.Inode, f *File) error {
	if f.Size != blockSize {
		c.tell("inode %d: %d bytes for a symlink's target", n.Ino, f.Size)
		return nil
	}
	have := make([]byte, blockSize)
	if _, err := f.ReadAt(have, 0); err != nil {
		return err
	}
	if !bytes.Equal(have[:len(n.Target)], []byte(n.Target)) || firstNonzero(have[len(n.Target):]) >= 0 {
		c.tell("inode %d: its block is not the symlink's target and zeros", n.Ino)
	}
	return nil
}
