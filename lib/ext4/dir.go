// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"

	"banger/lib/tree"
)

// fileTypes are the types in directory entries (EXT4_FT_*).
var fileTypes = map[tree.Type]byte{
	tree.File: 1, tree.Dir: 2, tree.Char: 3, tree.Block: 4, tree.Fifo: 5, tree.Socket: 6, tree.Symlink: 7,
}

// A dirent is an entry of a directory; setType changes its type in the block.
type dirent struct {
	ino     uint32
	name    string
	setType func(tree.Type)
}

var errDir = errors.New("damaged directory block")

// dir calls visit for each entry of a directory, "." and ".." left out. When
// visit has changed a block, it is sealed and written back.
func (m *Image) dir(ino uint32, raw []byte, visit func(dirent) error) error {
	if t, ok := typeOf(raw); !ok || t != tree.Dir {
		return fmt.Errorf("inode %d is no directory", ino)
	}
	return m.extents(raw, func(_, physical, count int64) error {
		blocks := make([]byte, count*blockSize)
		if _, err := m.f.ReadAt(blocks, physical*blockSize); err != nil {
			return short(err)
		}
		for i := range count {
			block := blocks[i*blockSize:][:blockSize]
			changed, err := m.dirBlock(ino, raw, block, visit)
			if err == nil && changed {
				_, err = m.f.WriteAt(block, (physical+i)*blockSize)
			}
			if err != nil {
				return fmt.Errorf("directory inode %d: %w", ino, err)
			}
		}
		return nil
	})
}

// dirBlock visits the entries of one block.
func (m *Image) dirBlock(ino uint32, inode, block []byte, visit func(dirent) error) (changed bool, err error) {
	generation := le.Uint32(inode[inGeneration:])
	tail := block[blockSize-tailSize:]
	if le.Uint32(tail) != 0 || le.Uint16(tail[deRecLen:]) != tailSize || tail[deType] != tailType {
		if le.Uint32(inode[inFlags:])&flagIndex == 0 {
			return false, errDir
		}
		return false, nil // an index block: the entries are in the others
	}
	if le.Uint32(tail[8:]) != m.dirChecksum(ino, generation, block) {
		return false, errors.New("a block does not match its checksum")
	}
	for at := 0; at < blockSize-tailSize; {
		rec := block[at : blockSize-tailSize]
		size := int(le.Uint16(rec[deRecLen:]))
		nameEnd := deName + int(rec[deNameLen])
		if size < deName || size > len(rec) || size%4 != 0 || nameEnd > size {
			return false, errDir
		}
		name := string(rec[deName:nameEnd])
		if child := le.Uint32(rec); child != 0 && name != "." && name != ".." {
			err := visit(dirent{child, name, func(t tree.Type) {
				if rec[deType] != fileTypes[t] {
					rec[deType], changed = fileTypes[t], true
				}
			}})
			if err != nil {
				return false, err
			}
		}
		at += size
	}
	le.PutUint32(tail[8:], m.dirChecksum(ino, generation, block))
	return changed, nil
}
