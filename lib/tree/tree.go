// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// MaxLinks is how many names ext4 allows one inode (EXT4_LINK_MAX).
const MaxLinks = 65000

// A Tree is a root filesystem.
type Tree struct {
	Root  *Inode
	steps int // taken through symlinks so far
}

// New returns a tree of one directory.
func New(root Inode) *Tree {
	root.Type, root.Nlink = Dir, 1
	root.directory = &directory{parent: &root}
	return &Tree{Root: &root}
}

// Lookup returns what a directory calls name, or nil.
func (i *Inode) Lookup(name string) *Inode { return i.children()[name] }

// children are a directory's entries; nothing else has any.
func (i *Inode) children() map[string]*Inode {
	if i.directory == nil {
		return nil
	}
	return i.entries
}

// Names returns a directory's names, sorted bytewise.
func (i *Inode) Names() []string { return slices.Sorted(maps.Keys(i.children())) }

// Len returns how many names a directory holds.
func (i *Inode) Len() int { return len(i.children()) }

// Path returns the names that lead to a directory, from the root, as in
// "usr/lib"; the root's is "".
func (i *Inode) Path() string {
	var names []string
	for d := i; d.directory != nil && d.parent != d; d = d.parent {
		names = append(names, d.name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Join returns the path of a directory's entry.
func (i *Inode) Join(name string) string {
	if p := i.Path(); p != "" {
		return p + "/" + name
	}
	return name
}

// ErrNotDir says that a name leads through a file as if it were a directory.
var ErrNotDir = errors.New("a parent is not a directory")

// What Link refuses.
var (
	errDirLink  = errors.New("a hard link to a directory")
	errTooMany  = errors.New("more than 65000 names of one file")
	errNotThere = errors.New("no such file")
)

// Put gives a fresh inode a name in a directory. A directory over a directory
// passes on its metadata and leaves the children; anything else replaces what
// is there, with all below it, and removed hears of each path that goes.
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

// Link gives an inode that has a name another one, replacing what is there.
func (i *Inode) Link(name string, n *Inode, removed func(path string)) error {
	switch {
	case n == nil:
		return errNotThere
	case n.Type == Dir:
		return errDirLink
	case i.Lookup(name) == n:
		return nil
	case n.Nlink >= MaxLinks:
		return errTooMany
	}
	i.Remove(name, removed)
	i.add(name, n)
	return nil
}

// add enters a name that is free.
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

// Remove takes a name out of a directory, with all below it. What has other
// names keeps them. A name that is not there is not missed.
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

// Walk visits every name, a directory before what is in it, in bytewise order
// of the names. The root comes first; its directory is nil.
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
