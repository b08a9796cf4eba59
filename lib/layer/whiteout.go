// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"strings"

	"banger/lib/tree"
)

// Names of whiteouts (image-spec, layer.md, "Whiteouts").
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
	aufsPrefix     = ".wh..wh." // other bookkeeping of aufs: means nothing
)

// addWhiteout keeps an entry that is a whiteout, and tells whether it was one.
// Only the last component of a name makes a whiteout. What is below a directory
// of aufs's own is as meaningless as that.
func (l *Layer) addWhiteout(name []string, marker string) (bool, error) {
	if len(name) == 0 {
		return false, nil
	}
	dir, last := name[:len(name)-1], name[len(name)-1]
	for _, part := range dir {
		if strings.HasPrefix(part, aufsPrefix) {
			return true, nil
		}
	}
	hidden, is := strings.CutPrefix(last, whiteoutPrefix)
	switch {
	case !is:
		return false, nil
	case last == opaqueMarker:
		l.whiteouts = append(l.whiteouts, marker)
	case strings.HasPrefix(last, aufsPrefix):
	case hidden == "" || hidden == "." || hidden == "..":
		return true, errors.New("a whiteout of no name")
	default:
		l.whiteouts = append(l.whiteouts, marker)
	}
	return true, tree.CheckNames(append([]string{hidden}, dir...))
}

// applyWhiteouts acts on the tree of the layers below. All directories are
// found before anything goes, so the order of the markers does not matter.
func (l *Layer) applyWhiteouts(t *tree.Tree, explain func(Event)) error {
	dirs, last := make([]*tree.Inode, len(l.whiteouts)), make([]string, len(l.whiteouts))
	for i, marker := range l.whiteouts {
		name, err := tree.SplitLong(marker)
		if err != nil {
			return l.errorf(marker, "%w", err)
		}
		dir, err := t.Dir(name[:len(name)-1], nil)
		if err != nil && !errors.Is(err, tree.ErrNotDir) {
			return l.errorf(marker, "%w", err)
		}
		dirs[i], last[i] = dir, name[len(name)-1]
	}
	for i, marker := range l.whiteouts {
		if dirs[i] == nil {
			continue // what is not there is not missed
		}
		names := []string{strings.TrimPrefix(last[i], whiteoutPrefix)}
		if last[i] == opaqueMarker {
			names = dirs[i].Names()
		}
		for _, name := range names {
			dirs[i].Remove(name, l.removed(marker, explain))
		}
	}
	return nil
}
