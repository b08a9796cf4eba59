// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// ReadTree reads all names and inodes of an image: everything that a manifest
// contains, and lost+found. Content reads the files.
func (m *Image) ReadTree(ctx context.Context) (*tree.Tree, error) {
	root, err := m.inode(rootIno)
	if err != nil {
		return nil, err
	}
	if root.Type != tree.Dir {
		return nil, errors.New("the root is not a directory")
	}
	r := treeReader{Image: m, ctx: ctx, inodes: map[uint32]*tree.Inode{}}
	t := tree.New(*root)
	r.inodes[rootIno] = t.Root
	return t, r.readDir(t.Root)
}

// Content opens a file in the tree that ReadTree returned.
func (m *Image) Content(n *tree.Inode) (*File, error) {
	raw, err := m.readInode(n.Ino)
	if err != nil {
		return nil, err
	}
	return m.file(n.Ino, raw)
}

type treeReader struct {
	*Image
	ctx    context.Context
	inodes map[uint32]*tree.Inode
	depth  int
}

// maxDepth is the maximum depth of directories. It limits the stack of readDir.
const maxDepth = 100_000

// readDir reads a directory and all below it. A second name of a directory is an
// error, so that the walk ends if the tree is cyclic.
func (r *treeReader) readDir(dir *tree.Inode) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("directories too deep (limit %d)", maxDepth)
	}
	defer func() { r.depth-- }()
	subdirs, err := r.readNames(dir)
	if err != nil {
		return fmt.Errorf("./%s: %w", mtree.Escape(dir.Path()), err)
	}
	for _, sub := range subdirs {
		if err := r.readDir(sub); err != nil {
			return err // contains the path
		}
	}
	return nil
}

// readNames adds the entries of a directory and returns its subdirectories.
func (r *treeReader) readNames(dir *tree.Inode) (subdirs []*tree.Inode, err error) {
	raw, err := r.readInode(dir.Ino)
	if err != nil {
		return nil, err
	}
	err = r.visitDir(dir.Ino, raw, func(e dirent) error {
		n, err := r.entry(dir, e)
		if err != nil {
			return fmt.Errorf("%s: %w", mtree.Escape(e.name), err)
		}
		if n.Type == tree.Dir {
			subdirs = append(subdirs, n)
		}
		return nil
	})
	return subdirs, err
}

// entry adds an entry.
func (r *treeReader) entry(dir *tree.Inode, e dirent) (n *tree.Inode, err error) {
	if dir.Lookup(e.name) != nil {
		return nil, errors.New("duplicate entry")
	}
	if err := tree.CheckNames([]string{e.name}); err != nil {
		return nil, err
	}
	if n = r.inodes[e.ino]; n != nil {
		return n, dir.Link(e.name, n, nil)
	}
	if n, err = r.inode(e.ino); err != nil {
		return nil, err
	}
	r.inodes[e.ino] = n
	dir.Put(e.name, n, nil)
	return n, nil
}

// inode reads an inode without its link count.
func (m *Image) inode(ino uint32) (*tree.Inode, error) {
	raw, err := m.readInode(ino)
	if err != nil {
		return nil, err
	}
	n := metaOf(raw)
	n.Ino = ino
	var ok bool
	if n.Type, ok = typeOf(raw); !ok {
		return nil, errors.New("unknown file type")
	}
	switch {
	case n.Type.Device():
		n.Major, n.Minor = deviceOf(raw)
	case n.Type == tree.Symlink:
		n.Target, err = m.readlink(ino)
	case n.Type == tree.File:
		err = m.countFile(n, raw)
	}
	if err != nil {
		return nil, err
	}
	n.Xattrs, err = m.xattrs(raw)
	return n, err
}

// countFile counts the blocks of a file.
func (m *Image) countFile(n *tree.Inode, raw []byte) error {
	f, err := m.file(n.Ino, raw)
	if err != nil {
		return err
	}
	var c blockCount
	for _, e := range f.extents {
		c.add(run{logical: e.logical, count: e.count})
	}
	n.Size, n.Blocks, n.Runs = f.Size, c.blocks, c.runs
	return nil
}
