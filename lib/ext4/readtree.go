// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// ReadTree reads every name of an image, with all that its inode says: what a
// manifest says of the tree that it was made of, and lost+found. Contents are
// left to Content.
func (m *Image) ReadTree(ctx context.Context) (*tree.Tree, error) {
	root, err := m.inode(rootIno)
	if err != nil {
		return nil, err
	}
	if root.Type != tree.Dir {
		return nil, errors.New("the root is no directory")
	}
	r := treeReader{Image: m, ctx: ctx, inodes: map[uint32]*tree.Inode{}}
	t := tree.New(*root)
	r.inodes[rootIno] = t.Root
	return t, r.readDir(t.Root)
}

// Content returns the content of a file that ReadTree has read.
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

// maxDepth is how deep directories may be in directories: a stack is to hold it.
const maxDepth = 100_000

// readDir reads a directory, and then those in it. A directory has one name: a
// tree that leads in circles is an error, and ends.
func (r *treeReader) readDir(dir *tree.Inode) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("more than %d directories deep", maxDepth)
	}
	defer func() { r.depth-- }()
	subdirs, err := r.readNames(dir)
	if err != nil {
		return fmt.Errorf("./%s: %w", mtree.Escape(dir.Path()), err)
	}
	for _, sub := range subdirs {
		if err := r.readDir(sub); err != nil {
			return err // which has said where
		}
	}
	return nil
}

// readNames enters the names in a directory, and returns the directories.
func (r *treeReader) readNames(dir *tree.Inode) (subdirs []*tree.Inode, err error) {
	raw, err := r.readInode(dir.Ino)
	if err != nil {
		return nil, err
	}
	err = r.dir(dir.Ino, raw, func(e dirent) error {
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

// entry enters a name.
func (r *treeReader) entry(dir *tree.Inode, e dirent) (n *tree.Inode, err error) {
	if dir.Lookup(e.name) != nil {
		return nil, errors.New("a second entry of this name")
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

// inode reads an inode, but for how many names it has.
func (m *Image) inode(ino uint32) (*tree.Inode, error) {
	raw, err := m.readInode(ino)
	if err != nil {
		return nil, err
	}
	n := metaOf(raw)
	n.Ino = ino
	var known bool
	if n.Type, known = typeOf(raw); !known {
		return nil, errors.New("unknown type of file")
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
	var c counted
	for _, e := range f.extents {
		c.add(run{logical: e.logical, count: e.count})
	}
	n.Size, n.Blocks, n.Runs = f.Size, c.blocks, c.runs
	return nil
}
