// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"

	"banger/lib/tree"
)

// fileTypes maps file types to those in directory entries (EXT4_FT_*).
var fileTypes = [...]byte{
	tree.File: 1, tree.Dir: 2, tree.Char: 3, tree.Block: 4, tree.Fifo: 5, tree.Socket: 6, tree.Symlink: 7,
}

// A dirent is a directory entry. setType changes its type in the block.
type dirent struct {
	ino     uint32
	name    string
	setType func(tree.Type)
}

var errDir = errors.New("damaged directory block")

// visitDir calls visit for each entry of a directory except "." and "..". If
// visit changes a block, visitDir updates its checksum and writes it back.
func (m *Image) visitDir(ino uint32, raw []byte, visit func(dirent) error) error {
	if t, ok := typeOf(raw); !ok || t != tree.Dir {
		return fmt.Errorf("inode %d is not a directory", ino)
	}
	block := make([]byte, blockSize)
	return m.visitExtents(ino, raw, func(e extent) error {
		for i := range e.count {
			if _, err := m.f.ReadAt(block, (e.physical+i)*blockSize); err != nil {
				return noEOF(err)
			}
			changed, err := m.dirBlock(ino, raw, block, e.logical+i, visit)
			if err == nil && changed {
				_, err = m.f.WriteAt(block, (e.physical+i)*blockSize)
			}
			if err != nil {
				return fmt.Errorf("directory inode %d: %w", ino, err)
			}
		}
		return nil
	})
}

// dirBlock visits the entries of a block.
func (m *Image) dirBlock(ino uint32, inode, block []byte, logical int64, visit func(dirent) error) (changed bool, err error) {
	generation := le.Uint32(inode[inGeneration:])
	if le.Uint32(inode[inFlags:])&flagIndex != 0 && isIndex(block, logical) {
		return false, m.checkIndex(ino, generation, block, logical)
	}
	if !hasTail(block) {
		return false, errDir
	}
	if err := m.checkTail(ino, generation, block); err != nil {
		return false, err
	}
	err = records(block, func(_ int, rec []byte) error {
		name := nameIn(rec)
		if le.Uint32(rec) == 0 || name == "." || name == ".." {
			return nil
		}
		return visit(dirent{le.Uint32(rec), name, func(t tree.Type) {
			if rec[deType] != fileTypes[t] {
				rec[deType], changed = fileTypes[t], true
			}
		}})
	})
	if err != nil {
		return false, err
	}
	le.PutUint32(block[blockSize-4:], m.dirChecksum(ino, generation, block))
	return changed, nil
}

// isIndex reports whether a block of a directory with an htree is part of that: its
// root, or a node, whose first record is empty and takes the whole block. The end of
// the block does not tell: a root that the kernel made of a block with entries has
// their tail still.
func isIndex(block []byte, logical int64) bool {
	return logical == 0 || le.Uint32(block) == 0 && le.Uint16(block[deRecLen:]) == blockSize
}

// hasTail reports whether a block with entries ends with a checksum.
func hasTail(block []byte) bool {
	tail := block[dirRoom:]
	return le.Uint32(tail) == 0 && le.Uint16(tail[deRecLen:]) == tailSize && tail[deNameLen] == 0 && tail[deType] == tailType
}

// checkTail checks the checksum of a directory block.
func (m *Image) checkTail(ino, generation uint32, block []byte) error {
	if le.Uint32(block[blockSize-4:]) != m.dirChecksum(ino, generation, block) {
		return errors.New("block does not match its checksum")
	}
	return nil
}

// records calls visit for each record of a directory block, used or unused, up to
// the tail.
func records(block []byte, visit func(at int, rec []byte) error) error {
	for at := 0; at < dirRoom; {
		rec := block[at:dirRoom]
		if len(rec) < deName {
			return errDir
		}
		size := int(le.Uint16(rec[deRecLen:]))
		if size < deName || size > len(rec) || size%4 != 0 || deName+int(rec[deNameLen]) > size {
			return errDir
		}
		if err := visit(at, rec[:size]); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// nameIn returns the name in a record.
func nameIn(rec []byte) string { return string(rec[deName:][:rec[deNameLen]]) }

// A dirEntry is a directory entry to be written.
type dirEntry struct {
	name string
	ino  uint32
	kind byte   // EXT4_FT_*
	hash uint32 // of the name; set in indexed directories
}

// recordSize returns the minimum size of an entry in bytes.
func recordSize(name string) int { return deName + pad4(len(name)) }

// dotsSize is the size of the entries "." and ".." in bytes.
const dotsSize = 2 * (deName + 4)

// dirRoom is the space for entries in a block, in bytes.
const dirRoom = blockSize - tailSize

// A dirBlock is a directory block that is being filled.
type dirBlock struct {
	raw      []byte // initially zeros
	at, last int    // offsets of the next entry and of the last one
}

func (b *dirBlock) add(e dirEntry) {
	b.last = b.at
	rec := b.raw[b.at:]
	le.PutUint32(rec, e.ino)
	le.PutUint16(rec[deRecLen:], uint16(recordSize(e.name)))
	rec[deNameLen], rec[deType] = byte(len(e.name)), e.kind
	copy(rec[deName:], e.name)
	b.at += recordSize(e.name)
}

// addDots adds the entries "." and "..".
func (b *dirBlock) addDots(self, parent uint32) {
	b.add(dirEntry{name: ".", ino: self, kind: fileTypes[tree.Dir]})
	b.add(dirEntry{name: "..", ino: parent, kind: fileTypes[tree.Dir]})
}

// close extends the last entry to the tail and sets the checksum.
func (b *dirBlock) close(m *Image, ino uint32) {
	le.PutUint16(b.raw[b.last+deRecLen:], uint16(dirRoom-b.last))
	tail := b.raw[dirRoom:]
	le.PutUint16(tail[deRecLen:], tailSize)
	tail[deType] = tailType
	le.PutUint32(tail[8:], m.dirChecksum(ino, 0, b.raw))
}
