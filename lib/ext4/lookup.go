// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"banger/lib/status"
	"banger/lib/tree"
)

// Limits of lookups. Those of a path and its symlinks are the kernel's
// (path_resolution(7)).
const (
	maxPath    = tree.MaxTarget // bytes
	maxLinks   = 40             // symlinks that one path leads over
	maxLookups = 1 << 19        // names looked up in an image, and blocks of their directories
)

// errFound ends visitDir early.
var errFound = errors.New("found")

// lookup returns the place of the file at a path. It follows symlinks within the
// image.
func (m *Image) lookup(path string) (place, error) {
	if len(path) > maxPath {
		return nil, fs.ErrNotExist
	}
	at := place{{ino: rootIno}}
	rest := strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		raw, err := m.readInode(at.ino())
		if err != nil {
			return nil, err
		}
		if t, _ := typeOf(raw); t != tree.Dir {
			return nil, fs.ErrNotExist
		}
		switch name {
		case "", ".": // also after a last slash, before which a directory must be
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		child, err := m.entry(at.ino(), raw, name)
		if err != nil {
			return nil, err
		}
		target, err := m.readlink(child)
		if err != nil {
			return nil, err
		}
		if target == "" {
			at = append(at, place{{child, name}}...)
			continue
		}
		if links++; links > maxLinks {
			return nil, fs.ErrNotExist
		}
		if target[0] == '/' {
			at = at[:1]
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// entry returns the inode number of a name in a directory. More than maxLookups
// are an error: symlinks can lead through a large directory thousands of times.
func (m *Image) entry(ino uint32, raw []byte, name string) (child uint32, err error) {
	if m.lookups += 1 + max(0, sizeOf(raw)/blockSize); m.lookups > maxLookups {
		return 0, status.Errorf(status.Bad, "looking up paths in the image takes more than %d steps", maxLookups)
	}
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
