// SPDX-License-Identifier: Apache-2.0

package ext4

import "errors"

// A node of an extent tree has a header and then index entries or, at depth 0,
// extents, each 12 bytes. The root is in the inode; other nodes are blocks that
// end with a checksum (struct ext4_extent_header, ext4_extent_idx, ext4_extent,
// ext4_extent_tail).
const (
	extentMagic    = 0xf30a
	extentSize     = 12
	maxExtentDepth = 5
	maxExtentLen   = 32768 // of an unwritten extent, it is added to the length
	inodeExtents   = 4     // entries in the inode
	blockExtents   = (blockSize - extentSize - 4) / extentSize
	extentTail     = extentSize + blockExtents*extentSize
)

var errExtent = errors.New("damaged extent tree")

// An extent is a range of adjacent blocks of a file.
type extent struct{ logical, physical, count int64 }

// visitExtents calls visit for each extent of an inode. Unwritten extents are an
// error: only files have them.
func (m *Image) visitExtents(ino uint32, raw []byte, visit func(extent) error) error {
	return m.visitExtentTree(ino, raw, func(int64) {}, visit)
}

// visitWritten is like visitExtents, but leaves out unwritten extents: blocks that
// fallocate(2) has reserved, which read as zeros.
func (m *Image) visitWritten(ino uint32, raw []byte, visit func(extent) error) error {
	return m.walkExtents(ino, raw, func(int64) {}, func(e extent, unwritten bool) error {
		if unwritten {
			return nil
		}
		return visit(e)
	})
}

// visitExtentTree is like visitExtents and also calls node for each block of the
// extent tree.
func (m *Image) visitExtentTree(ino uint32, raw []byte, node func(physical int64), visit func(extent) error) error {
	return m.walkExtents(ino, raw, node, func(e extent, unwritten bool) error {
		if unwritten {
			return errExtent
		}
		return visit(e)
	})
}

// walkExtents calls node for each block of an extent tree and visit for each extent.
func (m *Image) walkExtents(ino uint32, raw []byte, node func(physical int64), visit func(e extent, unwritten bool) error) error {
	if le.Uint32(raw[inFlags:])&flagExtents == 0 {
		return errors.New("inode without extents")
	}
	// Logical blocks must increase, and the total is limited, so that the walk
	// ends even if the tree is cyclic.
	next, total := int64(0), int64(0)
	w := extentWalk{m, ino, le.Uint32(raw[inGeneration:]), node, func(e extent, unwritten bool) error {
		if total += e.count; e.logical < next || total > m.Blocks() {
			return errExtent
		}
		next = e.logical + e.count
		return visit(e, unwritten)
	}}
	return w.node(raw[inBlock:inBlock+60], maxExtentDepth+1)
}

// An extentWalk walks the extent tree of an inode.
type extentWalk struct {
	*Image
	ino, generation uint32
	block           func(physical int64)
	visit           func(e extent, unwritten bool) error
}

// node visits a node whose parent has depth above. For the root, above is greater
// than maxExtentDepth.
func (w extentWalk) node(node []byte, above int) error {
	entries, room, depth := int(le.Uint16(node[2:])), int(le.Uint16(node[4:])), int(le.Uint16(node[6:]))
	root := above > maxExtentDepth
	// Only the root may be empty. Every other node must add extents, which shows
	// that it was not visited before.
	if le.Uint16(node) != extentMagic || depth >= above || depth != above-1 && !root ||
		room != len(node)/extentSize-1 || entries > room || entries == 0 && (depth > 0 || !root) {
		return errExtent
	}
	for i := 1; i <= entries; i++ {
		e := node[i*extentSize:][:extentSize]
		var err error
		if depth == 0 {
			err = w.leaf(e)
		} else {
			err = w.index(e, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w extentWalk) leaf(e []byte) error {
	count := int64(le.Uint16(e[4:]))
	unwritten := count > maxExtentLen
	if unwritten {
		count -= maxExtentLen
	}
	physical := int64(le.Uint16(e[6:]))<<32 | int64(le.Uint32(e[8:]))
	if count == 0 || physical == 0 || physical+count > w.Blocks() {
		return errExtent
	}
	return w.visit(extent{int64(le.Uint32(e)), physical, count}, unwritten)
}

func (w extentWalk) index(e []byte, depth int) error {
	child := int64(le.Uint16(e[8:]))<<32 | int64(le.Uint32(e[4:]))
	if child == 0 || child >= w.Blocks() {
		return errExtent
	}
	node := make([]byte, blockSize)
	if _, err := w.f.ReadAt(node, child*blockSize); err != nil {
		return noEOF(err)
	}
	if le.Uint32(node[extentTail:]) != w.extentChecksum(w.ino, w.generation, node) {
		return errors.New("extent tree block does not match its checksum")
	}
	if le.Uint32(node[extentSize:]) != le.Uint32(e) {
		return errExtent // the kernel searches by the index entry
	}
	w.block(child)
	return w.node(node, depth)
}

// An extentList collects the extents of a file that is being written.
type extentList []extent

// add adds an extent and merges it with the last one if they are adjacent.
func (l *extentList) add(e extent) {
	if n := len(*l); n > 0 {
		last := &(*l)[n-1]
		if e.logical == last.logical+last.count && e.physical == last.physical+last.count {
			grown := min(e.count, maxExtentLen-last.count)
			last.count += grown
			e = extent{e.logical + grown, e.physical + grown, e.count - grown}
		}
	}
	for e.count > 0 {
		count := min(e.count, maxExtentLen)
		*l = append(*l, extent{e.logical, e.physical, count})
		e = extent{e.logical + count, e.physical + count, e.count - count}
	}
}

// extentBlocks returns the number of blocks of a tree with the given number of
// extents. All nodes are full except the last of each level.
func extentBlocks(extents int64) (blocks int64) {
	for nodes := extents; nodes > inodeExtents; blocks += nodes {
		nodes = (nodes + blockExtents - 1) / blockExtents
	}
	return blocks
}

// writeTree writes an extent tree: its root into the 60 bytes root, the other
// nodes into new blocks, leaves first.
func (l extentList) writeTree(m *Image, ino uint32, root []byte, newBlock func(content []byte) (int64, error)) error {
	level := make([][extentSize]byte, len(l))
	for i, e := range l {
		le.PutUint32(level[i][:], uint32(e.logical))
		le.PutUint16(level[i][4:], uint16(e.count))
		le.PutUint16(level[i][6:], uint16(e.physical>>32))
		le.PutUint32(level[i][8:], uint32(e.physical))
	}
	depth := 0
	for ; len(level) > inodeExtents; depth++ {
		var above [][extentSize]byte
		for len(level) > 0 {
			count := min(len(level), blockExtents)
			node := make([]byte, blockSize)
			fillNode(node, blockExtents, depth, level[:count])
			le.PutUint32(node[extentTail:], m.extentChecksum(ino, 0, node))
			physical, err := newBlock(node)
			if err != nil {
				return err
			}
			above = append(above, indexEntry(level[0], physical))
			level = level[count:]
		}
		level = above
	}
	fillNode(root, inodeExtents, depth, level)
	return nil
}

// fillNode writes an extent tree node.
func fillNode(node []byte, room, depth int, entries [][extentSize]byte) {
	le.PutUint16(node, extentMagic)
	le.PutUint16(node[2:], uint16(len(entries)))
	le.PutUint16(node[4:], uint16(room))
	le.PutUint16(node[6:], uint16(depth))
	for i, e := range entries {
		copy(node[(i+1)*extentSize:], e[:])
	}
}

// indexEntry returns the index entry for the node at physical, which starts with
// the entry first.
func indexEntry(first [extentSize]byte, physical int64) (e [extentSize]byte) {
	copy(e[:4], first[:4])
	le.PutUint32(e[4:], uint32(physical))
	le.PutUint16(e[8:], uint16(physical>>32))
	return e
}
