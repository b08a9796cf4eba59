// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"errors"
	"slices"
)

// An indexed directory: its first block, the root, holds "." and "..", a few
// words on the index, and entries that lead by hash to leaves, or to nodes that
// do. The leaves are ordinary blocks of entries (struct dx_root, dx_node,
// dx_entry and dx_tail in fs/ext4/namei.c).
const (
	rootInfo       = 24 // hash version and levels below the root
	rootEntries    = 32 // where the entries start in the root
	nodeEntries    = 8  // and in a node, after an empty directory entry
	indexEntrySize = 8  // a hash and a block; the first has two counts for its hash
	indexTailSize  = 8
	rootLimit      = (blockSize - rootEntries - indexTailSize) / indexEntrySize
	nodeLimit      = (blockSize - nodeEntries - indexTailSize) / indexEntrySize

	hashHalfMD4 = 1 // DX_HASH_HALF_MD4
)

// leafRoom is how much of a leaf is filled: as with e2fsck -D, some room is left
// so that the first new name does not split it.
const leafRoom = dirRoom * 4 / 5

var errTooManyNames = errors.New("more names than an index of two levels holds")

// A dirLayout says which entries go into which block.
type dirLayout struct {
	entries []dirEntry
	starts  []int // which entry each block of entries, or leaf, starts with
	indexed bool  // there is a root before the leaves
	nodes   int   // of the index, below its root
	blocks  int   // in all
}

// layOut lays a directory out as the kernel would have made it: entries in one
// block have no index, any more have one.
func layOut(entries []dirEntry, seed [4]uint32) (dirLayout, error) {
	if l := layOutLinear(entries); l.blocks == 1 {
		return l, nil
	}
	for i := range entries {
		entries[i].hash = nameHash(seed, entries[i].name)
	}
	// By name where hashes are the same: the order is to depend on nothing else.
	slices.SortFunc(entries, func(a, b dirEntry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
	})
	l := dirLayout{entries: entries, starts: cut(entries, 0, leafRoom), indexed: true}
	if len(l.starts) > rootLimit*nodeLimit {
		l.starts = cut(entries, 0, dirRoom)
	}
	if len(l.starts) > rootLimit*nodeLimit {
		return l, errTooManyNames
	}
	if len(l.starts) > rootLimit {
		l.nodes = (len(l.starts) + nodeLimit - 1) / nodeLimit
	}
	l.blocks = 1 + l.nodes + len(l.starts)
	return l, nil
}

// layOutLinear lays a directory out without an index.
func layOutLinear(entries []dirEntry) dirLayout {
	starts := cut(entries, dots, dirRoom)
	return dirLayout{entries: entries, starts: starts, blocks: len(starts)}
}

// cut returns where to cut entries so that no block is fuller than room, of
// which some is used in the first.
func cut(entries []dirEntry, used, room int) (starts []int) {
	starts = []int{0}
	for i, e := range entries {
		size := recordSize(e.name)
		if used += size; used > room {
			starts, used = append(starts, i), size
		}
	}
	return starts
}

// write writes a directory's blocks, which are zeros. With an index, the root is
// the first, then come the nodes, then the leaves.
func (l dirLayout) write(m *Image, blocks []byte, self, parent uint32) {
	first := dirBlock{raw: blocks[:blockSize]}
	first.addDots(self, parent)
	if l.indexed {
		l.writeLeaves(m, blocks[(1+l.nodes)*blockSize:], self, dirBlock{})
		l.writeIndex(m, blocks, self)
	} else {
		l.writeLeaves(m, blocks, self, first)
	}
}

// writeLeaves writes blocks of entries, the first of which may have some
// already. Blocks behind them are empty: lost+found's.
func (l dirLayout) writeLeaves(m *Image, blocks []byte, self uint32, leaf dirBlock) {
	for i := 0; len(blocks) > 0; i++ {
		leaf.raw, blocks = blocks[:blockSize], blocks[blockSize:]
		if i < len(l.starts) {
			for _, e := range l.leaf(i) {
				leaf.add(e)
			}
		}
		leaf.close(m, self)
		leaf = dirBlock{}
	}
}

// leaf returns the entries of a leaf.
func (l dirLayout) leaf(i int) []dirEntry {
	if i+1 < len(l.starts) {
		return l.entries[l.starts[i]:l.starts[i+1]]
	}
	return l.entries[l.starts[i]:]
}

// leafHash is the lowest hash in a leaf; its lowest bit says that the leaf
// before ends with the same one.
func (l dirLayout) leafHash(i int) uint32 {
	hash := l.leaf(i)[0].hash
	if at := l.starts[i]; at > 0 && l.entries[at-1].hash == hash {
		hash |= 1
	}
	return hash
}

// writeIndex writes the root, and the nodes if it needs any.
func (l dirLayout) writeIndex(m *Image, blocks []byte, self uint32) {
	root, leaves := blocks[:blockSize], len(l.starts)
	le.PutUint16(root[deName+4+deRecLen:], blockSize-deName-4) // ".." covers the rest
	info := root[rootInfo:]
	info[4], info[5] = hashHalfMD4, 8 // which is the size of this
	if l.nodes == 0 {
		l.writeEntries(root, rootEntries, rootLimit, 0, leaves)
	} else {
		info[6] = 1
		l.writeNodes(root)
	}
	for node := range l.nodes {
		raw := blocks[(1+node)*blockSize:][:blockSize]
		le.PutUint16(raw[deRecLen:], blockSize)
		l.writeEntries(raw, nodeEntries, nodeLimit, node*nodeLimit, min((node+1)*nodeLimit, leaves))
		m.sealIndex(self, raw, nodeEntries)
	}
	m.sealIndex(self, root, rootEntries)
}

// writeEntries writes index entries for leaves from one up to another.
func (l dirLayout) writeEntries(raw []byte, offset, limit, from, to int) {
	for i := from; i < to; i++ {
		e := raw[offset+(i-from)*indexEntrySize:]
		le.PutUint32(e, l.leafHash(i))
		le.PutUint32(e[4:], uint32(1+l.nodes+i))
	}
	setCounts(raw[offset:], limit, to-from)
}

// writeNodes writes the root's entries for the nodes.
func (l dirLayout) writeNodes(root []byte) {
	for node := range l.nodes {
		e := root[rootEntries+node*indexEntrySize:]
		le.PutUint32(e, l.leafHash(node*nodeLimit))
		le.PutUint32(e[4:], uint32(1+node))
	}
	setCounts(root[rootEntries:], rootLimit, l.nodes)
}

// setCounts writes how many entries there can be and are (struct
// dx_countlimit) in place of the first hash, which nothing is lower than.
func setCounts(entries []byte, limit, count int) {
	le.PutUint16(entries, uint16(limit))
	le.PutUint16(entries[2:], uint16(count))
}

// sealIndex writes the checksum of a block of the index.
func (m *Image) sealIndex(ino uint32, raw []byte, entries int) {
	le.PutUint32(raw[blockSize-4:], m.indexChecksum(ino, 0, raw, entries))
}

// checkIndex checks a block of an index: the first is its root.
func (m *Image) checkIndex(ino, generation uint32, raw []byte, logical int64) error {
	entries, limit := nodeEntries, nodeLimit
	if logical == 0 {
		entries, limit = rootEntries, rootLimit
	}
	count := int(le.Uint16(raw[entries+2:]))
	if int(le.Uint16(raw[entries:])) != limit || count == 0 || count > limit {
		return errDir
	}
	if le.Uint32(raw[blockSize-4:]) != m.indexChecksum(ino, generation, raw, entries) {
		return errors.New("a block of the index does not match its checksum")
	}
	return nil
}
