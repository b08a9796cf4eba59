// SPDX-License-Identifier: Apache-2.0

// Package layer applies the layers of a container image to a tree. Layers are
// untrusted: names are resolved in memory only, and file contents are stored
// under numbers.
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

// A Layer holds the whiteouts and entries of one archive, in archive order.
type Layer struct {
	ID        string   // identifies the layer in messages
	whiteouts []string // marker names, as spelled in the archive
	entries   []entry
	count     func() error // counts an implied directory as an entry
}

// An entry is a name and its inode or hard link target. Names are stored
// unsplit: a hostile one takes eight times the memory when split.
type entry struct {
	name  string
	inode *tree.Inode // holds only the mtime of a hard link
	link  string      // hard link target, or ""
}

// An Event is one change that a layer makes to the tree.
type Event struct {
	Layer string
	Op    byte   // '+' if the path is added, '-' if it is removed
	Path  string // relative to the root
	By    string // the entry that caused the change
}

// Apply applies the layer to t: first the whiteouts, which act on the lower
// layers only, then the entries in archive order. explain, if not nil, is
// called for each change.
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

// errorf returns an error that names the layer and the entry.
func (l *Layer) errorf(name, format string, args ...any) error {
	return status.Errorf(status.Bad, "layer %s: %q: %w", l.ID, name, fmt.Errorf(format, args...))
}

// place adds one entry to the tree.
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
		return errors.New("reserved for a directory")
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

// placeRoot sets the metadata of the root.
func (l *Layer) placeRoot(t *tree.Tree, e *entry, explain func(Event)) error {
	if e.link != "" || e.inode.Type != tree.Dir {
		return errors.New("root is not a directory")
	}
	t.Root.SetMeta(e.inode)
	if explain != nil {
		explain(Event{l.ID, '+', ".", e.name})
	}
	return nil
}

// implied returns a parent directory of e that has no entry of its own.
func implied(e *entry) *tree.Inode {
	return &tree.Inode{Type: tree.Dir, Mode: 0o755, Sec: e.inode.Sec, Nsec: e.inode.Nsec}
}

// hardLink adds a hard link. Symlinks in the target are followed, except in
// the last component. The file may come from a lower layer.
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

// linkTarget splits the target of a hard link.
func linkTarget(link string) ([]string, error) {
	target, err := tree.Split(link)
	if err == nil && len(target) == 0 {
		err = errors.New("target is the root")
	}
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", link, err)
	}
	return target, nil
}

// removed returns a function that reports each path the entry removes.
func (l *Layer) removed(by string, explain func(Event)) func(string) {
	if explain == nil {
		return nil
	}
	return func(path string) { explain(Event{l.ID, '-', path, by}) }
}
