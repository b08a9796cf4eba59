// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"maps"
	"slices"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// inodeTables checks the inode tables, and each inode in them.
func (c *checker) inodeTables() error {
	for g := range c.groupCount() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.checkInodeTable(g); err != nil {
			return err
		}
	}
	for _, ino := range slices.Sorted(maps.Keys(c.values)) {
		c.problem("EA inode %d does not follow its owner, inode %d", ino, c.values[ino].owner.Ino)
	}
	c.sharedBlocks()
	return nil
}

// A tableCheck checks the inode table of a group.
type tableCheck struct {
	*checker
	group    int64
	used     bitmap
	highest  int64  // the highest used inode, counted from 1
	dirCount uint32 // number of directories
}

// checkInodeTable checks the inode table and the inode bitmap of a group.
func (c *checker) checkInodeTable(g int64) error {
	s := tableCheck{checker: c, group: g}
	for first := uint32(0); first < c.inodesPerGroup(); first += tableChunk / inodeSize {
		part := c.table[:min(tableChunk, (c.inodesPerGroup()-first)*inodeSize)]
		if err := s.part(first, part); err != nil {
			return err
		}
	}
	return c.checkInodeBitmap(g, &s.used, s.highest, s.dirCount)
}

// part checks the inodes from index first on. It does not read a hole unless the
// tree has inodes there.
func (s *tableCheck) part(first uint32, raw []byte) error {
	at, count := s.inodeTableOffset(s.group)+int64(first)*inodeSize, uint32(len(raw)/inodeSize)
	from, to, err := sparse.NextData(s.f, at)
	if err != nil {
		return err
	}
	before := uint32(s.group)*s.inodesPerGroup() + first
	if hole := from == to || from >= at+int64(len(raw)); hole && !s.hasInodeUpTo(before+count) {
		return nil
	}
	if _, err := s.f.ReadAt(raw, at); err != nil {
		return noEOF(err)
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

// hasInodeUpTo reports whether the tree has another inode up to number last.
func (c *checker) hasInodeUpTo(last uint32) bool {
	return len(c.inodes) > 0 && c.inodes[0].Ino <= last
}

// slot checks an inode, and reports whether it is used.
func (s *tableCheck) slot(ino uint32, raw []byte) (used bool, err error) {
	var n *tree.Inode
	if s.hasInodeUpTo(ino) {
		n, s.inodes = s.inodes[0], s.inodes[1:]
	}
	v, isValue := s.values[ino]
	switch {
	case ino < lostFoundIno && ino != rootIno:
		if n != nil {
			s.problem("reserved inode %d has a name", ino)
		}
		return true, s.reserved(ino, raw)
	case n != nil:
		if n.Type == tree.Dir {
			s.dirCount++
		}
		return true, s.named(n, raw)
	case isValue:
		delete(s.values, ino)
		return true, s.checkEAInode(ino, raw, v)
	case le.Uint16(raw[inMode:]) != 0:
		s.problem("unattached inode %d", ino)
	case firstNonzero(raw) >= 0:
		s.problem("unused inode %d is nonzero", ino)
	}
	return false, nil
}

// named checks an inode that has a name.
func (c *checker) named(n *tree.Inode, raw []byte) error {
	if !c.inodeChecksumOK(n.Ino, raw) {
		c.problem("inode %d does not match its checksum", n.Ino)
		return nil
	}
	want := newInode(n)
	blocks, err := c.content(n, raw, want)
	if err != nil {
		return c.imageError(err, "inode %d", n.Ino)
	}
	xattrBlocks, err := c.attributes(n, raw, want)
	if err != nil {
		return c.imageError(err, "inode %d", n.Ino)
	}
	setBlocks(want, blocks+xattrBlocks)
	c.setInodeChecksum(n.Ino, want)
	c.compareInode(n.Ino, raw, want)
	return nil
}

// content checks the blocks of an inode's content and sets the fields of want that
// depend on it. It returns the number of blocks.
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
			c.problem("inode %d: blocks beyond the end of the file: end at %d, should end at %d", n.Ino, end, blocksOf(n.Size))
		}
	}
	le.PutUint32(want[inFlags:], flags)
	return blocks, err
}

// target checks the block of a symlink's target.
func (c *checker) target(n *tree.Inode, f *File) error {
	if f.Size != blockSize {
		c.problem("inode %d: symlink target occupies %d bytes, should be %d", n.Ino, f.Size, blockSize)
		return nil
	}
	have := make([]byte, blockSize)
	if _, err := f.ReadAt(have, 0); err != nil {
		return err
	}
	if !bytes.Equal(have[:len(n.Target)], []byte(n.Target)) || firstNonzero(have[len(n.Target):]) >= 0 {
		c.problem("inode %d: symlink block is not the target followed by zeros", n.Ino)
	}
	return nil
}
