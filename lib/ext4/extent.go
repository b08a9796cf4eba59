// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
)

// An extent tree: a header, then index entries or, at depth 0, extents, 12
// bytes each (struct ext4_extent_header, ext4_extent_idx, ext4_extent).
const (
	extentMagic    = 0xf30a
	extentSize     = 12
	maxExtentDepth = 5
	maxExtentLen   = 32768 // a longer one says that it is not written yet
	inodeExtents   = 4     // that fit into the inode
	blockExtents   = (blockSize - extentSize - 4) / extentSize
)

var errExtent = errors.New("damaged extent tree")

// extents calls visit for each stretch of blocks of an inode: the first
// logical block, the first physical one, how many.
func (m *Image) extents(raw []byte, visit func(logical, physical, count int64) error) error {
	if le.Uint32(raw[inFlags:])&flagExtents == 0 {
		return fmt.Errorf("an inode without extents")
	}
	// Logical blocks must rise and there is no more than all blocks, so that
	// a tree that leads in circles ends.
	next, total := int64(0), int64(0)
	return m.extentNode(raw[inBlock:inBlock+60], maxExtentDepth+1, func(logical, physical, count int64) error {
		if total += count; logical < next || total > m.Blocks() {
			return errExtent
		}
		next = logical + count
		return visit(logical, physical, count)
	})
}

// extentNode visits a node that must be less deep than its parent.
func (m *Image) extentNode(node []byte, above int, visit func(logical, physical, count int64) error) error {
	entries, depth := int(le.Uint16(node[2:])), int(le.Uint16(node[6:]))
	if le.Uint16(node) != extentMagic || depth >= above || (entries+1)*extentSize > len(node) ||
		depth > 0 && entries == 0 {
		return errExtent
	}
	for i := 1; i <= entries; i++ {
		e := node[i*extentSize:][:extentSize]
		var err error
		if depth == 0 {
			err = m.extent(e, visit)
		} else {
			err = m.extentIndex(e, depth, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Image) extent(e []byte, visit func(logical, physical, count int64) error) error {
	count := int64(le.Uint16(e[4:]))
	physical := int64(le.Uint16(e[6:]))<<32 | int64(le.Uint32(e[8:]))
	if count == 0 || count > maxExtentLen || physical == 0 || physical+count > m.Blocks() {
		return errExtent
	}
	return visit(int64(le.Uint32(e)), physical, count)
}

func (m *Image) extentIndex(e []byte, depth int, visit func(logical, physical, count int64) error) error {
	child := int64(le.Uint16(e[8:]))<<32 | int64(le.Uint32(e[4:]))
	if child == 0 || child >= m.Blocks() {
		return errExtent
	}
	node := make([]byte, blockSize)
	if _, err := m.f.ReadAt(node, child*blockSize); err != nil {
		return short(err)
	}
	return m.extentNode(node, depth, visit)
}
