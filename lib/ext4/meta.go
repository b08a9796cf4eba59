// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// applyMeta writes the metadata of o.Tree into an image that mkfs.ext4 -d has
// filled. The image must have the same names as the tree.
func (m *Image) applyMeta(ctx context.Context, o Options) error {
	p := metaWriter{Image: m, ctx: ctx, inodes: make([]*tree.Inode, m.InodeCount()+1)}
	p.inodes[rootIno] = o.Tree.Root
	if err := p.readDir(rootIno, o.Tree.Root); err != nil {
		return err
	}
	if p.inodes[lostFoundIno] == nil { // made by mke2fs
		p.inodes[lostFoundIno] = NewLostFound(o.Created)
	}
	if err := p.writeInodes(); err != nil {
		return err
	}
	return m.editSuper(normalizeSuper)
}

// A metaWriter matches the inodes of an image with those of a tree, then writes
// them in the order on disk.
type metaWriter struct {
	*Image
	ctx    context.Context
	inodes []*tree.Inode // by inode number
}

// readDir matches the entries of a directory and of all below it, and corrects
// the file types in them.
func (p *metaWriter) readDir(ino uint32, dir *tree.Inode) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	raw, err := p.readInode(ino)
	if err != nil {
		return err
	}
	found := 0
	subdirs := map[uint32]*tree.Inode{}
	err = p.visitDir(ino, raw, func(e dirent) error {
		n := dir.Lookup(e.name)
		if n == nil && e.ino == lostFoundIno && ino == rootIno {
			return nil
		}
		if n == nil || e.ino > p.InodeCount() || p.inodes[e.ino] != nil && p.inodes[e.ino] != n {
			return fmt.Errorf("%s: %w", mtree.Escape(dir.Join(e.name)), errChanged)
		}
		found++
		p.inodes[e.ino] = n
		e.setType(n.Type)
		if n.Type == tree.Dir {
			subdirs[e.ino] = n
		}
		return nil
	})
	if err == nil && found != dir.Len() {
		err = fmt.Errorf("%s/: %w", mtree.Escape(dir.Path()), errChanged)
	}
	for child, n := range subdirs {
		if err == nil {
			err = p.readDir(child, n)
		}
	}
	return err
}

// writeInodes rewrites the inode tables, a group at a time.
func (p *metaWriter) writeInodes() error {
	for g := range p.groupCount() {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.writeGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// writeGroup rewrites the used part of a group's inode table.
func (p *metaWriter) writeGroup(g int64) error {
	d := p.desc(g)
	if d.has(gdInodeUninit) {
		return nil
	}
	unused := d.u32(gdUnused)
	if unused > p.inodesPerGroup() {
		return fmt.Errorf("group %d: invalid number of unused inodes %d (%d inodes)", g, unused, p.inodesPerGroup())
	}
	table := make([]byte, int64(p.inodesPerGroup()-unused)*inodeSize)
	if _, err := p.f.ReadAt(table, p.inodeTableOffset(g)); err != nil {
		return noEOF(err)
	}
	first := uint32(g)*p.inodesPerGroup() + 1
	for i := range uint32(len(table) / inodeSize) {
		raw := table[i*inodeSize:][:inodeSize]
		if err := p.writeInode(first+i, raw); err != nil {
			return err
		}
	}
	_, err := p.f.WriteAt(table, p.inodeTableOffset(g))
	return err
}

// setDirLinks corrects the link count of a directory with more subdirectories
// than the field can count, which is then 1 (dir_nlink).
func setDirLinks(raw []byte, n *tree.Inode) {
	if n.Len() <= tree.MaxLinks-2 {
		return
	}
	links := 2
	for _, name := range n.Names() {
		if n.Lookup(name).Type == tree.Dir {
			links++
		}
	}
	le.PutUint16(raw[inLinks:], dirLinks(links))
}

// writeInode sets the metadata of an inode.
func (p *metaWriter) writeInode(ino uint32, raw []byte) error {
	n := p.inodes[ino]
	if n == nil {
		return nil
	}
	if n.Type == tree.Dir {
		setDirLinks(raw, n)
	} else if int(le.Uint16(raw[inLinks:])) != n.Nlink {
		return fmt.Errorf("inode %d: %d links, want %d", ino, le.Uint16(raw[inLinks:]), n.Nlink)
	}
	if n.Type == tree.File && sizeOf(raw) != n.Size {
		return fmt.Errorf("inode %d: %d bytes, want %d: %w", ino, sizeOf(raw), n.Size, errChanged)
	}
	all, err := attributes(n.Xattrs)
	if err != nil {
		return fmt.Errorf("inode %d: %w", ino, err)
	}
	setMeta(raw, n)
	p.setXattrs(raw, all)
	p.setInodeChecksum(ino, raw)
	return nil
}
