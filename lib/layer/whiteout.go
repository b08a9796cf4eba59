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
	aufsPrefix     = ".wh..wh." // other metadata of aufs, ignored
)

// addWhiteout adds an entry to the whiteouts if it is one, and reports whether
// the entry is to be skipped. Only the last component of a name makes it a
// whiteout. Everything below an aufs directory is skipped.
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
	hidden, ok := strings.CutPrefix(last, whiteoutPrefix)
	switch {
	case !ok:
		return false, nil
	case last == opaqueMarker:
		l.whiteouts = append(l.whiteouts, marker)
	case strings.HasPrefix(last, aufsPrefix):
	case hidden == "" || hidden == "." || hidden == "..":
		return true, errors.New("whiteout without a name")
	default:
		l.whiteouts = append(l.whiteouts, marker)
	}
	return true, tree.CheckNames(append([]string{hidden}, dir...))
}

// applyWhiteouts removes paths from the tree of the lower layers. It resolves
// all directories before it removes anything, so the order of the markers does
// not matter.
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
			continue // no such directory in the lower layers
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
