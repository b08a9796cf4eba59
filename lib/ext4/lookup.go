// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"banger/lib/tree"
)

// ErrLoop means that a path has more symlinks than the kernel follows.
var ErrLoop = errors.New("too many symlinks")

// errFound ends visitDir early.
var errFound = errors.New("found")

// lookup returns the inode number of a path. It follows symlinks within the
// image.
func (m *Image) lookup(path string) (uint32, error) {
	at := []uint32{rootIno} // directories from the root to the current one
	rest := strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" {
			continue
		}
		raw, err := m.readInode(at[len(at)-1])
		if err != nil {
			return 0, err
		}
		if t, _ := typeOf(raw); t != tree.Dir {
			return 0, fs.ErrNotExist
		}
		switch name {
		case ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		child, err := m.entry(at[len(at)-1], raw, name)
		if err != nil {
			return 0, err
		}
		target, err := m.readlink(child)
		if err != nil {
			return 0, err
		}
		if target == "" {
			at = append(at, child)
			continue
		}
		if links++; links > 40 {
			return 0, fmt.Errorf("%s: %w", path, ErrLoop)
		}
		if target[0] == '/' {
			at = at[:1]
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at[len(at)-1], nil
}

// entry returns the inode number of a name in a directory.
func (m *Image) entry(ino uint32, raw []byte, name string) (child uint32, err error) {
	err = m.visitDir(ino, raw, func(e dirent) error {
		if e.name == name {
			child = e.ino
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return child, nil
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return 0, err
}

// readlink returns the target of a symlink, "" for anything else.
func (m *Image) readlink(ino uint32) (string, error) {
	raw, err := m.readInode(ino)
	if err != nil {
		return "", err
	}
	if t, _ := typeOf(raw); t != tree.Symlink {
		return "", nil
	}
	size := sizeOf(raw)
	if size <= 0 || size > tree.MaxTarget {
		return "", fmt.Errorf("inode %d: invalid symlink target size %d", ino, size)
	}
	target := raw[inBlock:]
	if size >= fastSymlink {
		target = make([]byte, blockSize)
		err = m.visitExtents(ino, raw, func(e extent) error {
			_, err := m.f.ReadAt(target, e.physical*blockSize)
			return err
		})
	}
	if target = target[:size]; err == nil && bytes.IndexByte(target, 0) >= 0 {
		err = fmt.Errorf("inode %d: NUL byte in symlink target", ino)
	}
	return string(target), err
}
