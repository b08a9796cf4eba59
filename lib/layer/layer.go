// SPDX-License-Identifier: Apache-2.0

// Package layer replays the layers of a container image into a tree. A layer
// is hostile until proven otherwise: its names are resolved in memory only,
// and the contents of its files are kept under numbers.
//
// The format is the OCI image-spec's layer.md over POSIX pax and GNU tar.
package layer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"banger/lib/status"
	"banger/lib/tree"
)

// A Layer is what one archive says, in the order it says it.
type Layer struct {
	ID        string // how messages call it
	whiteouts []whiteout
	entries   []entry
}

// A whiteout removes a name of the layers below, or, if opaque, all names of
// a directory.
type whiteout struct {
	dir    []string
	name   string
	opaque bool
	marker string // the entry that says so
}

// An entry is a name and what it shall be: an inode, or a hard link's target.
type entry struct {
	name  []string
	inode *tree.Inode // of a link, its time alone
	link  []string
	from  string // the name as the archive spells it
}

// An Event is one change that a layer makes to the tree.
type Event struct {
	Layer string
	Op    byte   // '+' for a path that is placed, '-' for one that goes
	Path  string // from the root, without a slash in front
	By    string // the entry that did it
}

// Apply changes t as the layer says: its whiteouts act first, on what the
// layers below have left, then its entries are placed in their order. explain
// hears of each change; it may be nil.
func (l *Layer) Apply(ctx context.Context, t *tree.Tree, explain func(Event)) error {
	if err := l.applyWhiteouts(t, explain); err != nil {
		return err
	}
	for i := range l.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.place(t, &l.entries[i], explain); err != nil {
			return l.errorf(l.entries[i].from, "%w", err)
		}
	}
	return nil
}

// errorf names the layer and the entry that are at fault.
func (l *Layer) errorf(name, format string, args ...any) error {
	return status.Errorf(status.Bad, "layer %s: %q: %w", l.ID, name, fmt.Errorf(format, args...))
}

// place puts one entry where its name resolves to.
func (l *Layer) place(t *tree.Tree, e *entry, explain func(Event)) error {
	if len(e.name) == 0 {
		return l.placeRoot(t, e, explain)
	}
	last := len(e.name) - 1
	parent, err := t.Dir(e.name[:last], func() *tree.Inode { return implied(e) })
	if err != nil {
		return err
	}
	if parent == t.Root && e.name[last] == "lost+found" && (e.link != nil || e.inode.Type != tree.Dir) {
		return errors.New("is reserved for a directory")
	}
	if e.link != nil {
		err = l.hardLink(t, parent, e, explain)
	} else {
		parent.Put(e.name[last], e.inode, l.removed(e.from, explain))
	}
	if err == nil && explain != nil {
		explain(Event{l.ID, '+', parent.Join(e.name[last]), e.from})
	}
	return err
}

// placeRoot gives the root its metadata.
func (l *Layer) placeRoot(t *tree.Tree, e *entry, explain func(Event)) error {
	if e.link != nil || e.inode.Type != tree.Dir {
		return errors.New("the root must be a directory")
	}
	t.Root.SetMeta(e.inode)
	if explain != nil {
		explain(Event{l.ID, '+', ".", e.from})
	}
	return nil
}

// implied is a parent that no layer names.
func implied(e *entry) *tree.Inode {
	return &tree.Inode{Type: tree.Dir, Mode: 0o755, Sec: e.inode.Sec, Nsec: e.inode.Nsec}
}

// hardLink gives a file another name. The target is resolved like any name,
// its last component not followed; the file may be a lower layer's.
func (l *Layer) hardLink(t *tree.Tree, parent *tree.Inode, e *entry, explain func(Event)) error {
	target, err := t.Find(e.link)
	if err == nil {
		err = parent.Link(e.name[len(e.name)-1], target, l.removed(e.from, explain))
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", strings.Join(e.link, "/"), err)
	}
	return nil
}

// removed reports paths that go because of an entry.
func (l *Layer) removed(by string, explain func(Event)) func(string) {
	if explain == nil {
		return nil
	}
	return func(path string) { explain(Event{l.ID, '-', path, by}) }
}
