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
	ID        string   // how messages call it
	whiteouts []string // the names of their markers, as the archive spells them
	entries   []entry
	count     func() error // counts a directory that no entry names as one
}

// An entry is a name and what it shall be: an inode, or a hard link's target.
// Names are kept as the archive spells them: taken apart, a hostile one takes
// eight times the memory.
type entry struct {
	name  string
	inode *tree.Inode // of a link, its time alone
	link  string      // empty if it is none
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
			return l.errorf(l.entries[i].name, "%w", err)
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
	name, err := tree.Split(e.name)
	if err != nil {
		return err
	}
	if len(name) == 0 {
		return l.placeRoot(t, e, explain)
	}
	dir, last := name[:len(name)-1], name[len(name)-1]
	parent, err := t.Dir(dir, func() (*tree.Inode, error) { return implied(e), l.count() })
	if err != nil {
		return err
	}
	if parent == t.Root && last == "lost+found" && (e.link != "" || e.inode.Type != tree.Dir) {
		return errors.New("is reserved for a directory")
	}
	if e.link != "" {
		err = l.hardLink(t, parent, last, e, explain)
	} else {
		parent.Put(last, e.inode, l.removed(e.name, explain))
	}
	if err == nil && explain != nil {
		explain(Event{l.ID, '+', parent.Join(last), e.name})
	}
	return err
}

// placeRoot gives the root its metadata.
func (l *Layer) placeRoot(t *tree.Tree, e *entry, explain func(Event)) error {
	if e.link != "" || e.inode.Type != tree.Dir {
		return errors.New("the root must be a directory")
	}
	t.Root.SetMeta(e.inode)
	if explain != nil {
		explain(Event{l.ID, '+', ".", e.name})
	}
	return nil
}

// implied is a parent that no layer names.
func implied(e *entry) *tree.Inode {
	return &tree.Inode{Type: tree.Dir, Mode: 0o755, Sec: e.inode.Sec, Nsec: e.inode.Nsec}
}

// hardLink gives a file another name. The target is resolved like any name,
// its last component not followed; the file may be a lower layer's.
func (l *Layer) hardLink(t *tree.Tree, parent *tree.Inode, name string, e *entry, explain func(Event)) error {
	path, err := linkTarget(e.link)
	if err != nil {
		return err
	}
	target, err := t.Find(path)
	if err == nil {
		err = parent.Link(name, target, l.removed(e.name, explain))
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", strings.Join(path, "/"), err)
	}
	return nil
}

// linkTarget takes the name of the file apart that a hard link is to be a name
// of.
func linkTarget(link string) ([]string, error) {
	target, err := tree.Split(link)
	if err == nil && len(target) == 0 {
		err = errors.New("is the root")
	}
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", link, err)
	}
	return target, nil
}

// removed reports paths that go because of an entry.
func (l *Layer) removed(by string, explain func(Event)) func(string) {
	if explain == nil {
		return nil
	}
	return func(path string) { explain(Event{l.ID, '-', path, by}) }
}
