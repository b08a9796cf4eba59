// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"io/fs"
	"strings"

	"banger/lib/tree"
)

// Resolve follows the symlinks of a path within the image, as a kernel does with
// the image as its root. It returns a path without symlinks and the type and the
// permissions of what is there. The error is fs.ErrNotExist if nothing is there, and
// if the path is longer or has more symlinks than a kernel allows.
func (m *Image) Resolve(path string) (resolved string, mode fs.FileMode, err error) {
	at, err := m.lookup(path)
	if err != nil {
		return "", 0, err
	}
	raw, err := m.readInode(at.ino())
	if err != nil {
		return "", 0, err
	}
	t, ok := typeOf(raw)
	if !ok {
		return "", 0, fmt.Errorf("inode %d: unknown file type", at.ino())
	}
	return at.path(), fileModes[t] | fs.FileMode(le.Uint16(raw[inMode:]))&fs.ModePerm, nil
}

// fileModes are the types of files in Go's form.
var fileModes = [...]fs.FileMode{
	tree.File: 0, tree.Dir: fs.ModeDir, tree.Symlink: fs.ModeSymlink, tree.Char: fs.ModeDevice | fs.ModeCharDevice,
	tree.Block: fs.ModeDevice, tree.Fifo: fs.ModeNamedPipe, tree.Socket: fs.ModeSocket,
}

// A place is a file and the directories that lead to it, from the root on.
type place []struct {
	ino  uint32
	name string // "" for the root
}

func (p place) ino() uint32 { return p[len(p)-1].ino }

func (p place) path() string {
	if len(p) == 1 {
		return "/"
	}
	var b strings.Builder
	for _, e := range p[1:] {
		b.WriteString("/" + e.name)
	}
	return b.String()
}
