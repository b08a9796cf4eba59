// SPDX-License-Identifier: Apache-2.0

package ext4

import "banger/lib/tree"

// inode writes an inode whose content is written, and what belongs to it: the
// nodes of its extent tree, its attributes, the inodes of large values.
func (w *filler) inode(p *part) error {
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
	return w.values(n, where.large)
}

// values writes the inodes of large values. Those of the root wait until
// lost+found has the first inode that is not reserved.
func (w *filler) values(n *tree.Inode, large []*attribute) error {
	switch n {
	case w.plan.root:
		w.rootValues = large
		return nil
	case w.plan.lostFound:
		if err := w.valuesOf(w.plan.root, w.rootValues); err != nil {
			return err
		}
	}
	return w.valuesOf(n, large)
}

func (w *filler) valuesOf(n *tree.Inode, large []*attribute) error {
	for _, a := range large {
		if err := w.value(n, a); err != nil {
			return err
		}
	}
	return nil
}

// setContent writes into an inode how long its content is and where it lies.
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
		return nil // setMeta has said all
	}
	le.PutUint32(raw[inFlags:], flags)
	return w.extents.tree(w.Image, n.Ino, raw[inBlock:inBlock+60], w.newBlock)
}

// A sharedBlock is the block of attributes that inodes share: how many more may
// have it, and how many will have to share the next one.
type sharedBlock struct {
	physical   int64
	free, left int
}

// setXattrBlock writes the attributes that an inode has no room for into a
// block, or finds them in one that another inode has.
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

// sharedBlock finds the block that attributes are in. One that leads to inodes
// of values is nobody else's.
func (w *filler) sharedBlock(where placement) *sharedBlock {
	if len(where.large) > 0 {
		return &sharedBlock{left: 1}
	}
	key := keyOf(where.block)
	if w.shared[key] == nil {
		w.shared[key] = &sharedBlock{left: w.plan.sharers[key]}
	}
	return w.shared[key]
}

// newXattrBlock writes a block for as many of those that have these attributes
// as may share one.
func (w *filler) newXattrBlock(all []attribute, shared *sharedBlock) (err error) {
	if shared.physical, _, err = w.space.take(1); err != nil {
		return err
	}
	w.blocks++
	shared.free = min(shared.left, maxXattrRefs)
	shared.left -= shared.free
	block := w.xattrBlock(all)
	le.PutUint32(block[xbRefcount:], uint32(shared.free))
	le.PutUint32(block[xbChecksum:], w.xattrChecksum(shared.physical, block))
	w.sweep.add(shared.physical*blockSize, block)
	return nil
}

// newValueInode makes the inode of a large value, but for where it lies. It has
// its hash for an atime and the number of those that refer to it for a version
// (fs/ext4/xattr.c, ext4_xattr_inode_set_hash and _set_ref).
func newValueInode(owner *tree.Inode, size int64, hash uint32) []byte {
	raw := newInode(&tree.Inode{Type: tree.File, Mode: 0o600, UID: owner.UID, GID: owner.GID, Nlink: 1})
	le.PutUint32(raw[inFlags:], flagExtents|flagEAInode)
	le.PutUint32(raw[inVersion:], 1)
	le.PutUint32(raw[inAtime:], hash)
	setSize(raw, size)
	return raw
}

// value writes the inode of a large value.
func (w *filler) value(owner *tree.Inode, a *attribute) error {
	w.extents, w.blocks = w.extents[:0], 0
	content := make([]byte, blocksOf(int64(len(a.value)))*blockSize)
	copy(content, a.value)
	if err := w.content(0, content); err != nil {
		return err
	}
	raw := newValueInode(owner, int64(len(a.value)), w.valueHash(a.value))
	setBlocks(raw, w.blocks)
	if err := w.extents.tree(w.Image, a.inode, raw[inBlock:inBlock+60], w.newBlock); err != nil {
		return err
	}
	return w.table.put(a.inode, raw, false)
}
