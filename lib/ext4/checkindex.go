// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
)

// A leaf is what the index of a directory says of a block: the hashes of its
// names, or that it is one of the index itself.
type leaf struct {
	from  uint32 // with the lowest bit, the leaf before has names of this hash too
	to    int64  // no hash of it; beyond all where there is no next leaf
	index bool   // it has no names
	known bool   // something leads to it
}

// holds reports whether the kernel looks for a hash in a leaf (dx_probe and
// ext4_htree_next_block in fs/ext4/namei.c).
func (l leaf) holds(hash uint32) bool { return hash >= l.from&^1 && int64(hash) < l.to }

var errIndex = errors.New("damaged index")

// An indexCheck is the index of a directory that is gone through.
type indexCheck struct {
	*Image
	ino    uint32
	file   *File
	leaves []leaf
}

// leavesOf reads the index of a directory, which must lead to each block once.
func (m *Image) leavesOf(ino uint32, f *File) ([]leaf, error) {
	if f.Size > (1+rootLimit+rootLimit*nodeLimit)*blockSize {
		return nil, fmt.Errorf("%w: more blocks than it can lead to", errIndex)
	}
	i := indexCheck{m, ino, f, make([]leaf, f.Size/blockSize)}
	root, err := i.node(0)
	if err != nil {
		return nil, err
	}
	info := root[rootInfo:rootEntries]
	levels := info[6]
	if le.Uint32(info) != 0 || info[4] != hashHalfMD4 || info[5] != 8 || levels > 1 || info[7] != 0 {
		return nil, fmt.Errorf("%w: its header is %x", errIndex, info)
	}
	if err := i.entries(root[rootEntries:], leaf{to: 1 << 32}, int(levels)); err != nil {
		return nil, err
	}
	for block, l := range i.leaves {
		if !l.known {
			return nil, fmt.Errorf("%w: nothing leads to block %d", errIndex, block)
		}
	}
	return i.leaves, nil
}

// node reads a block of the index.
func (i indexCheck) node(logical int64) ([]byte, error) {
	raw := make([]byte, blockSize)
	if _, err := i.file.ReadAt(raw, logical*blockSize); err != nil {
		return nil, err
	}
	i.leaves[logical] = leaf{index: true, known: true}
	if logical > 0 && (le.Uint32(raw) != 0 || le.Uint16(raw[deRecLen:]) != blockSize || raw[deNameLen] != 0 || raw[deType] != 0) {
		return nil, fmt.Errorf("%w: block %d has no empty entry", errIndex, logical)
	}
	return raw, i.checkIndex(i.ino, 0, raw, logical)
}

// entries goes through the entries of a node, which lead to what has hashes
// within those of the node, levels above the leaves.
func (i indexCheck) entries(raw []byte, within leaf, levels int) error {
	count := int(le.Uint16(raw[2:]))
	used := raw[:count*indexEntrySize]
	// No checksum covers what is unused, but for the tail's.
	if firstNonzero(raw[len(used):len(raw)-4]) >= 0 {
		return fmt.Errorf("%w: what is unused of it is not all zeros", errIndex)
	}
	for at := 0; at < len(used); at += indexEntrySize {
		l := within
		if at > 0 {
			l.from = le.Uint32(used[at:])
		}
		if at+indexEntrySize < len(used) {
			l.to = int64(le.Uint32(used[at+indexEntrySize:]))
		}
		// Leaves of names that all have one hash say the same.
		if int64(l.from) > l.to || int64(l.from) == l.to && l.from&1 == 0 {
			return fmt.Errorf("%w: hashes %#x and %#x are not in order", errIndex, l.from, l.to)
		}
		if err := i.entry(le.Uint32(used[at+4:]), l, levels); err != nil {
			return err
		}
	}
	return nil
}

// entry follows an entry.
func (i indexCheck) entry(block uint32, l leaf, levels int) error {
	logical := int64(block)
	if logical >= int64(len(i.leaves)) || i.leaves[logical].known {
		return fmt.Errorf("%w: it leads to block %d of %d, or twice", errIndex, logical, len(i.leaves))
	}
	if levels == 0 {
		l.known = true
		i.leaves[logical] = l
		return nil
	}
	raw, err := i.node(logical)
	if err != nil {
		return err
	}
	return i.entries(raw[nodeEntries:], l, levels-1)
}
