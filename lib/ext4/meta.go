// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// applyMeta writes into a populated image what the directory it came from
// could not say. Every name of the tree must be there, and no other.
func (m *Image) applyMeta(ctx context.Context, o Options) error {
	p := pass{Image: m, ctx: ctx, inodes: make([]*tree.Inode, m.InodeCount()+1)}
	p.inodes[rootIno] = o.Tree.Root
	if err := p.readDir(rootIno, o.Tree.Root); err != nil {
		return err
	}
	if p.inodes[lostFoundIno] == nil { // mke2fs's own
		p.inodes[lostFoundIno] = NewLostFound(o.Created)
	}
	if err := p.writeInodes(); err != nil {
		return err
	}
	return m.editSuper(ours)
}

// A pass gathers which inode of the image is which of the tree, then writes
// the image's inodes in the order they are on disk.
type pass struct {
	*Image
	ctx    context.Context
	inodes []*tree.Inode // by inode number
}

// readDir finds the inodes of a directory's names, and of those below, and
// mends the types in its entries.
func (p *pass) readDir(ino uint32, dir *tree.Inode) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	raw, err := p.readInode(ino)
	if err != nil {
		return err
	}
	found := 0
	subdirs := map[uint32]*tree.Inode{}
	err = p.dir(ino, raw, func(e dirent) error {
		n := dir.Lookup(e.name)
		if n == nil && e.ino == lostFoundIno && ino == rootIno {
			return nil
		}
		if n == nil || e.ino > p.InodeCount() || p.inodes[e.ino] != nil && p.inodes[e.ino] != n {
			return fmt.Errorf("%s is not what mkfs.ext4 was given", mtree.Escape(dir.Join(e.name)))
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
		err = fmt.Errorf("%s/: %d names of %d arrived", mtree.Escape(dir.Path()), found, dir.Len())
	}
	for child, n := range subdirs {
		if err == nil {
			err = p.readDir(child, n)
		}
	}
	return err
}

// writeInodes goes through the inode tables, a group at a time.
func (p *pass) writeInodes() error {
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
func (p *pass) writeGroup(g int64) error {
	d := p.group(g)
	if d.has(gdInodeUninit) {
		return nil
	}
	unused := d.half(gdUnused)
	if unused > p.inodesPerGroup() {
		return fmt.Errorf("group %d: %d unused inodes of %d", g, unused, p.inodesPerGroup())
	}
	table := make([]byte, int64(p.inodesPerGroup()-unused)*inodeSize)
	if _, err := p.f.ReadAt(table, p.inodeTable(g)); err != nil {
		return short(err)
	}
	first := uint32(g)*p.inodesPerGroup() + 1
	for i := range uint32(len(table) / inodeSize) {
		raw := table[i*inodeSize:][:inodeSize]
		if err := p.writeInode(first+i, raw); err != nil {
			return err
		}
	}
	_, err := p.f.WriteAt(table, p.inodeTable(g))
	return err
}

// setDirLinks corrects the links of a directory with more subdirectories than
// the field can count, which is then 1 (dir_nlink).
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

// writeInode changes one inode in a table.
func (p *pass) writeInode(ino uint32, raw []byte) error {
	n := p.inodes[ino]
	if n == nil {
		return nil
	}
	if n.Type == tree.Dir {
		setDirLinks(raw, n)
	} else if int(le.Uint16(raw[inLinks:])) != n.Nlink {
		return fmt.Errorf("inode %d has %d links, not %d", ino, le.Uint16(raw[inLinks:]), n.Nlink)
	}
	if n.Type == tree.File && sizeOf(raw) != n.Size {
		return fmt.Errorf("inode %d has %d bytes, not %d: did the tree change meanwhile?", ino, sizeOf(raw), n.Size)
	}
	all, err := attributes(n.Xattrs)
	if err != nil {
		return fmt.Errorf("inode %d: %w", ino, err)
	}
	setMeta(raw, n)
	p.setXattrs(raw, all)
	p.sealInode(ino, raw)
	return nil
}
