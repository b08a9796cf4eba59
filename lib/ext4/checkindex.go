// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
)

// A dxBlock describes a block of an indexed directory: the hashes of a leaf, or
// that the block is a node.
type dxBlock struct {
	from  uint32 // the lowest bit is set if the previous leaf also has this hash
	to    int64  // exclusive; 1<<32 for the last leaf
	index bool   // the block is a node of the htree
	seen  bool   // some entry refers to the block
}

// holds reports whether the kernel searches for a hash in a leaf (dx_probe and
// ext4_htree_next_block in fs/ext4/namei.c).
func (l dxBlock) holds(hash uint32) bool { return hash >= l.from&^1 && int64(hash) < l.to }

var errIndex = errors.New("damaged index")

// An indexCheck checks the htree of a directory.
type indexCheck struct {
	*Image
	ino    uint32
	file   *File
	blocks []dxBlock
}

// readIndex reads the htree of a directory, which must refer to each block once.
func (m *Image) readIndex(ino uint32, f *File) ([]dxBlock, error) {
	if f.Size > (1+rootLimit+rootLimit*nodeLimit)*blockSize {
		return nil, fmt.Errorf("%w: too many blocks", errIndex)
	}
	i := indexCheck{m, ino, f, make([]dxBlock, f.Size/blockSize)}
	root, err := i.node(0)
	if err != nil {
		return nil, err
	}
	info := root[rootInfo:rootEntries]
	levels := info[6]
	if le.Uint32(info) != 0 || info[4] != hashHalfMD4 || info[5] != 8 || levels > 1 || info[7] != 0 {
		return nil, fmt.Errorf("%w: invalid header %x", errIndex, info)
	}
	if err := i.entries(root[rootEntries:], dxBlock{to: 1 << 32}, int(levels)); err != nil {
		return nil, err
	}
	for block, l := range i.blocks {
		if !l.seen {
			return nil, fmt.Errorf("%w: no entry for block %d", errIndex, block)
		}
	}
	return i.blocks, nil
}

// node reads a node of the htree.
func (i indexCheck) node(logical int64) ([]byte, error) {
	raw := make([]byte, blockSize)
	if _, err := i.file.ReadAt(raw, logical*blockSize); err != nil {
		return nil, err
	}
	i.blocks[logical] = dxBlock{index: true, seen: true}
	if logical > 0 && (le.Uint32(raw) != 0 || le.Uint16(raw[deRecLen:]) != blockSize || raw[deNameLen] != 0 || raw[deType] != 0) {
		return nil, fmt.Errorf("%w: block %d does not start with an empty entry", errIndex, logical)
	}
	return raw, i.checkIndex(i.ino, 0, raw, logical)
}

// entries checks the entries of a node that is levels above the leaves. within is
// the range of its hashes.
func (i indexCheck) entries(raw []byte, within dxBlock, levels int) error {
	count := int(le.Uint16(raw[2:]))
	used := raw[:count*indexEntrySize]
	// No checksum covers the unused entries.
	if firstNonzero(raw[len(used):len(raw)-4]) >= 0 {
		return fmt.Errorf("%w: unused entries are nonzero", errIndex)
	}
	for at := 0; at < len(used); at += indexEntrySize {
		l := within
		if at > 0 {
			l.from = le.Uint32(used[at:])
		}
		if at+indexEntrySize < len(used) {
			l.to = int64(le.Uint32(used[at+indexEntrySize:]))
		}
		// A leaf whose names all have the hash of the next leaf has an empty range.
		if int64(l.from) > l.to || int64(l.from) == l.to && l.from&1 == 0 {
			return fmt.Errorf("%w: hashes %#x and %#x out of order", errIndex, l.from, l.to)
		}
		if err := i.entry(le.Uint32(used[at+4:]), l, levels); err != nil {
			return err
		}
	}
	return nil
}

// entry checks the block that an entry refers to.
func (i indexCheck) entry(block uint32, l dxBlock, levels int) error {
	logical := int64(block)
	if logical >= int64(len(i.blocks)) || i.blocks[logical].seen {
		return fmt.Errorf("%w: invalid or duplicate block %d (%d blocks)", errIndex, logical, len(i.blocks))
	}
	if levels == 0 {
		l.seen = true
		i.blocks[logical] = l
		return nil
	}
	raw, err := i.node(logical)
	if err != nil {
		return err
	}
	return i.entries(raw[nodeEntries:], l, levels-1)
}
