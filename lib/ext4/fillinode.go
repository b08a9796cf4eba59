// SPDX-License-Identifier: Apache-2.0

package ext4

import "banger/lib/tree"

// placeInode writes the inode of a part whose content is placed, with its extent
// tree, xattrs and EA inodes.
func (w *filler) placeInode(p *part) error {
	n, raw := p.n, newInode(p.n)
	if err := w.setContent(raw, p); err != nil {
		return err
	}
	var where placement
	if len(n.Xattrs) > 0 {
		var err error
		if where, err = w.plan.placeXattrs(n); err != nil {
			return err
		}
		w.setXattrs(raw, where.inode)
		if err := w.setXattrBlock(raw, where); err != nil {
			return err
		}
	}
	setBlocks(raw, w.blocks+where.valueBlocks())
	if err := w.table.put(n.Ino, raw, n.Type == tree.Dir); err != nil {
		return err
	}
	return w.writeEAInodes(n, where.large)
}

// writeEAInodes writes the EA inodes of n. Those of the root wait for lost+found,
// which has the first inode that is not reserved.
func (w *filler) writeEAInodes(n *tree.Inode, large []*attribute) error {
	switch n {
	case w.plan.root:
		w.rootEAInodes = large
		return nil
	case w.plan.lostFound:
		if err := w.writeEAInodesOf(w.plan.root, w.rootEAInodes); err != nil {
			return err
		}
	}
	return w.writeEAInodesOf(n, large)
}

func (w *filler) writeEAInodesOf(n *tree.Inode, large []*attribute) error {
	for _, a := range large {
		if err := w.writeEAInode(n, a); err != nil {
			return err
		}
	}
	return nil
}

// setContent sets size, flags and extent tree of an inode.
func (w *filler) setContent(raw []byte, p *part) error {
	n, flags := p.n, uint32(flagExtents)
	switch {
	case n.Type == tree.Dir:
		setSize(raw, int64(len(p.content)))
		if p.indexed {
			flags |= flagIndex
		}
		le.PutUint16(raw[inLinks:], dirLinks(p.links))
	case n.Type == tree.Symlink && len(n.Target) < fastSymlink:
		setSize(raw, int64(len(n.Target)))
		copy(raw[inBlock:], n.Target)
		return nil
	case n.Type == tree.Symlink:
		setSize(raw, int64(len(n.Target)))
	case n.Type == tree.File:
		setSize(raw, n.Size)
	default:
		return nil // newInode has set everything
	}
	le.PutUint32(raw[inFlags:], flags)
	return w.extents.writeTree(w.Image, n.Ino, raw[inBlock:inBlock+60], w.newBlock)
}

// A sharedBlock is an xattr block that several inodes share. After free more
// inodes, the remaining ones need another block.
type sharedBlock struct {
	physical        int64
	free, remaining int
}

// setXattrBlock sets the xattr block of an inode, if it needs one: a new block, or
// one with the same xattrs that another inode has.
func (w *filler) setXattrBlock(raw []byte, where placement) error {
	if len(where.block) == 0 {
		return nil
	}
	block := w.sharedBlock(where)
	if block.free > 0 {
		w.blocks++
	} else if err := w.newXattrBlock(where.block, block); err != nil {
		return err
	}
	block.free--
	le.PutUint32(raw[inXattrBlock:], uint32(block.physical))
	le.PutUint16(raw[inXattrHi:], uint16(block.physical>>32))
	return nil
}

// sharedBlock returns the block for the given xattrs. A block that refers to EA
// inodes is not shared.
func (w *filler) sharedBlock(where placement) *sharedBlock {
	if len(where.large) > 0 {
		return &sharedBlock{remaining: 1}
	}
	key := keyOf(where.block)
	if w.shared[key] == nil {
		w.shared[key] = &sharedBlock{remaining: w.plan.sharers[key]}
	}
	return w.shared[key]
}

// newXattrBlock writes a block for as many of the remaining inodes as may share
// one.
func (w *filler) newXattrBlock(all []attribute, shared *sharedBlock) (err error) {
	if shared.physical, _, err = w.space.alloc(1); err != nil {
		return err
	}
	w.blocks++
	shared.free = min(shared.remaining, maxXattrRefs)
	shared.remaining -= shared.free
	block := w.xattrBlock(all)
	le.PutUint32(block[xbRefcount:], uint32(shared.free))
	le.PutUint32(block[xbChecksum:], w.xattrChecksum(shared.physical, block))
	w.queue.add(shared.physical*blockSize, block)
	return nil
}

// newEAInode returns an EA inode without its extent tree. Its atime is the hash
// of the value and its version the reference count (ext4_xattr_inode_set_hash and
// ext4_xattr_inode_set_ref in fs/ext4/xattr.c).
func newEAInode(owner *tree.Inode, size int64, hash uint32) []byte {
	raw := newInode(&tree.Inode{Type: tree.File, Mode: 0o600, UID: owner.UID, GID: owner.GID, Nlink: 1})
	le.PutUint32(raw[inFlags:], flagExtents|flagEAInode)
	le.PutUint32(raw[inVersion:], 1)
	le.PutUint32(raw[inAtime:], hash)
	setSize(raw, size)
	return raw
}

// writeEAInode writes the EA inode of a.
func (w *filler) writeEAInode(owner *tree.Inode, a *attribute) error {
	w.extents, w.blocks = w.extents[:0], 0
	content := make([]byte, blocksOf(int64(len(a.value)))*blockSize)
	copy(content, a.value)
	if err := w.placeContent(0, content); err != nil {
		return err
	}
	raw := newEAInode(owner, int64(len(a.value)), w.valueHash(a.value))
	setBlocks(raw, w.blocks)
	if err := w.extents.writeTree(w.Image, a.inode, raw[inBlock:inBlock+60], w.newBlock); err != nil {
		return err
	}
	return w.table.put(a.inode, raw, false)
}
