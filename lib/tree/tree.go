// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxLinks is the limit on hard links to one inode (EXT4_LINK_MAX).
const MaxLinks = 65000

// A Tree is a root filesystem.
type Tree struct {
	Root  *Inode
	steps int // components of symlink targets followed so far
}

// New returns a tree with only a root directory.
func New(root Inode) *Tree {
	root.Type, root.Nlink = Dir, 1
	root.directory = &directory{parent: &root}
	return &Tree{Root: &root}
}

// Lookup returns the entry of a directory with the given name, or nil.
func (i *Inode) Lookup(name string) *Inode { return i.children()[name] }

// children returns the entries of a directory, nil for any other inode.
func (i *Inode) children() map[string]*Inode {
	if i.directory == nil {
		return nil
	}
	return i.entries
}

// Names returns the names in a directory, sorted bytewise.
func (i *Inode) Names() []string { return slices.Sorted(maps.Keys(i.children())) }

// Len returns the number of names in a directory.
func (i *Inode) Len() int { return len(i.children()) }

// Path returns the path of a directory relative to the root, as in "usr/lib".
// It returns "" for the root.
func (i *Inode) Path() string {
	var names []string
	for d := i; d.directory != nil && d.parent != d; d = d.parent {
		names = append(names, d.name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Join returns the path of an entry of the directory.
func (i *Inode) Join(name string) string {
	if p := i.Path(); p != "" {
		return p + "/" + name
	}
	return name
}

// ErrNotDir is returned if a component of a path, other than the last, is not a
// directory.
var ErrNotDir = errors.New("parent is not a directory")

// Errors of Link.
var (
	errDirLink      = errors.New("hard link to a directory")
	errTooManyLinks = fmt.Errorf("too many hard links (limit %d)", MaxLinks)
	errNotFound     = errors.New("not found")
)

// Put adds a new inode to a directory. A directory put over a directory only
// sets its metadata; the children stay. Anything else replaces the old entry and
// all below it; removed is called for each path removed, unless it is nil.
func (i *Inode) Put(name string, n *Inode, removed func(path string)) {
	if old := i.Lookup(name); old != nil {
		if old.Type == Dir && n.Type == Dir {
			old.SetMeta(n)
			return
		}
		i.Remove(name, removed)
	}
	i.add(name, n)
}

// Link adds a hard link to an inode, replacing any old entry as Put does.
func (i *Inode) Link(name string, n *Inode, removed func(path string)) error {
	switch {
	case n == nil:
		return errNotFound
	case n.Type == Dir:
		return errDirLink
	case i.Lookup(name) == n:
		return nil
	case n.Nlink >= MaxLinks:
		return errTooManyLinks
	}
	i.Remove(name, removed)
	i.add(name, n)
	return nil
}

// add adds an entry whose name is free.
func (i *Inode) add(name string, n *Inode) {
	if i.entries == nil {
		i.entries = make(map[string]*Inode)
	}
	i.entries[name] = n
	n.Nlink++
	if n.Type == Dir {
		n.directory = &directory{parent: i, name: name, depth: i.depth + 1}
	}
}

// Remove removes an entry of a directory and all below it. Other hard links to
// a removed file stay. Removing a missing name is a no-op.
func (i *Inode) Remove(name string, removed func(path string)) {
	n := i.Lookup(name)
	if n == nil {
		return
	}
	for _, child := range n.Names() {
		n.Remove(child, removed)
	}
	if removed != nil {
		removed(i.Join(name))
	}
	delete(i.entries, name)
	n.Nlink--
}

// Walk visits every entry in bytewise order of the names, a directory before
// its entries. It visits the root first, with a nil dir.
func (t *Tree) Walk(visit func(dir *Inode, name string, n *Inode) error) error {
	if err := visit(nil, "", t.Root); err != nil {
		return err
	}
	return walk(t.Root, visit)
}

func walk(dir *Inode, visit func(*Inode, string, *Inode) error) error {
	for _, name := range dir.Names() {
		n := dir.Lookup(name)
		if err := visit(dir, name, n); err != nil {
			return err
		}
		if n.Type == Dir {
			if err := walk(n, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
