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
	leaves  []int // with an index: which entry each leaf starts with
	nodes   int   // of the index, below its root
	blocks  int   // in all
}

// layOut lays a directory out as the kernel would have made it: entries in one
// block have no index, any more have one.
func layOut(entries []dirEntry, seed [4]uint32) (dirLayout, error) {
	l := dirLayout{entries: entries, blocks: 1}
	size := dots
	for _, e := range entries {
		size += recordSize(e.name)
	}
	if size <= dirRoom {
		return l, nil
	}
	for i := range entries {
		entries[i].hash = nameHash(seed, entries[i].name)
	}
	// By name where hashes are the same: the order is to depend on nothing else.
	slices.SortFunc(entries, func(a, b dirEntry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
	})
	l.leaves = cutLeaves(entries, leafRoom)
	if len(l.leaves) > rootLimit*nodeLimit {
		l.leaves = cutLeaves(entries, dirRoom)
	}
	if len(l.leaves) > rootLimit*nodeLimit {
		return l, errTooManyNames
	}
	if len(l.leaves) > rootLimit {
		l.nodes = (len(l.leaves) + nodeLimit - 1) / nodeLimit
	}
	l.blocks = 1 + l.nodes + len(l.leaves)
	return l, nil
}

// cutLeaves returns where to cut entries so that no leaf is fuller than room.
func cutLeaves(entries []dirEntry, room int) (starts []int) {
	used := room // of a leaf before the first
	for i, e := range entries {
		size := recordSize(e.name)
		if used += size; used > room {
			starts, used = append(starts, i), size
		}
	}
	return starts
}

// indexed reports whether there is an index.
func (l dirLayout) indexed() bool { return l.leaves != nil }

// write writes a directory's blocks, which are zeros: the root first, then the
// nodes, then the leaves.
func (l dirLayout) write(m *Image, blocks []byte, self, parent uint32) {
	block := func(i int) []byte { return blocks[i*blockSize:][:blockSize] }
	first := dirBlock{raw: block(0)}
	first.addDots(self, parent)
	if !l.indexed() {
		for _, e := range l.entries {
			first.add(e)
		}
		first.close(m, self)
		for i := 1; i < l.blocks; i++ { // lost+found's
			(&dirBlock{raw: block(i)}).close(m, self)
		}
		return
	}
	for i := range l.leaves {
		leaf := dirBlock{raw: block(1 + l.nodes + i)}
		for _, e := range l.leaf(i) {
			leaf.add(e)
		}
		leaf.close(m, self)
	}
	l.writeIndex(m, self, block)
}

// leaf returns the entries of a leaf.
func (l dirLayout) leaf(i int) []dirEntry {
	if i+1 < len(l.leaves) {
		return l.entries[l.leaves[i]:l.leaves[i+1]]
	}
	return l.entries[l.leaves[i]:]
}

// leafHash is the lowest hash in a leaf; its lowest bit says that the leaf
// before ends with the same one.
func (l dirLayout) leafHash(i int) uint32 {
	hash := l.leaf(i)[0].hash
	if at := l.leaves[i]; at > 0 && l.entries[at-1].hash == hash {
		hash |= 1
	}
	return hash
}

// writeIndex writes the root, and the nodes if it needs any.
func (l dirLayout) writeIndex(m *Image, self uint32, block func(int) []byte) {
	root := block(0)
	le.PutUint16(root[deName+4+deRecLen:], blockSize-deName-4) // ".." covers the rest
	info := root[rootInfo:]
	info[4], info[5] = hashHalfMD4, 8 // which is the size of this
	first, levels := 1+l.nodes, 0
	if l.nodes == 0 {
		l.writeEntries(root, rootEntries, rootLimit, 0, len(l.leaves), func(i int) int { return first + i })
	} else {
		levels = 1
		at := func(node int) int { return node * nodeLimit } // the leaf that a node starts with
		for node := range l.nodes {
			raw, from, to := block(1+node), at(node), min(at(node+1), len(l.leaves))
			le.PutUint16(raw[deRecLen:], blockSize)
			l.writeEntries(raw, nodeEntries, nodeLimit, from, to, func(i int) int { return first + i })
			m.sealIndex(self, raw, nodeEntries)
		}
		l.writeNodes(root, at)
	}
	info[6] = byte(levels)
	m.sealIndex(self, root, rootEntries)
}

// writeEntries writes index entries for leaves from one up to another.
func (l dirLayout) writeEntries(raw []byte, offset, limit, from, to int, block func(leaf int) int) {
	for i := from; i < to; i++ {
		e := raw[offset+(i-from)*indexEntrySize:]
		le.PutUint32(e, l.leafHash(i))
		le.PutUint32(e[4:], uint32(block(i)))
	}
	setCounts(raw[offset:], limit, to-from)
}

// writeNodes writes the root's entries for the nodes.
func (l dirLayout) writeNodes(root []byte, firstLeaf func(node int) int) {
	for node := range l.nodes {
		e := root[rootEntries+node*indexEntrySize:]
		le.PutUint32(e, l.leafHash(firstLeaf(node)))
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
