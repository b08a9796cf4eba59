// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"errors"
	"slices"
)

// An indexed directory (htree). Its first block, the root, holds "." and "..", a
// header, and entries that map hashes to leaves or to nodes, which map them to
// leaves. Leaves are ordinary directory blocks (struct dx_root, dx_node, dx_entry
// and dx_tail in fs/ext4/namei.c).
const (
	rootInfo       = 24 // offset of the header
	rootEntries    = 32 // offset of the entries in the root
	nodeEntries    = 8  // offset of the entries in a node, after an empty directory entry
	indexEntrySize = 8  // hash and block number; the first entry has two counts instead of a hash
	indexTailSize  = 8
	rootLimit      = (blockSize - rootEntries - indexTailSize) / indexEntrySize
	nodeLimit      = (blockSize - nodeEntries - indexTailSize) / indexEntrySize

	hashHalfMD4 = 1 // DX_HASH_HALF_MD4
)

// leafRoom is the space that is filled in a leaf, in bytes. Like e2fsck -D it
// leaves some free, so that the first new name does not split the leaf.
const leafRoom = dirRoom * 4 / 5

var errTooManyNames = errors.New("too many names for an index of two levels")

// A dirLayout assigns the entries of a directory to blocks.
type dirLayout struct {
	entries []dirEntry
	starts  []int // index of the first entry of each leaf
	indexed bool  // the directory has an htree
	nodes   int   // htree nodes below the root
	blocks  int   // in total
}

// layOut lays out a directory as the kernel does: it is indexed if the entries do
// not fit into one block.
func layOut(entries []dirEntry, seed [4]uint32) (dirLayout, error) {
	if l := layOutLinear(entries); l.blocks == 1 {
		return l, nil
	}
	for i := range entries {
		entries[i].hash = nameHash(seed, entries[i].name)
	}
	// Equal hashes are sorted by name, so that the order is reproducible.
	slices.SortFunc(entries, func(a, b dirEntry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
	})
	l := dirLayout{entries: entries, starts: splitEntries(entries, 0, leafRoom), indexed: true}
	if len(l.starts) > rootLimit*nodeLimit {
		l.starts = splitEntries(entries, 0, dirRoom)
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

// layOutLinear lays out a directory without an index.
func layOutLinear(entries []dirEntry) dirLayout {
	starts := splitEntries(entries, dotsSize, dirRoom)
	return dirLayout{entries: entries, starts: starts, blocks: len(starts)}
}

// splitEntries divides entries into blocks of up to room bytes, of which used are
// taken in the first block. It returns the index of the first entry of each.
func splitEntries(entries []dirEntry, used, room int) (starts []int) {
	starts = []int{0}
	for i, e := range entries {
		size := recordSize(e.name)
		if used += size; used > room {
			starts, used = append(starts, i), size
		}
	}
	return starts
}

// write writes the blocks of a directory into blocks, which must be zeros: the
// root and the nodes of the htree, if any, then the leaves.
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

// writeLeaves writes the leaves, of which the first may already contain entries.
// The remaining blocks, which only lost+found has, become empty leaves.
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

// leafHash returns the lowest hash in a leaf. Its lowest bit is set if the
// previous leaf ends with the same hash.
func (l dirLayout) leafHash(i int) uint32 {
	hash := l.leaf(i)[0].hash
	if at := l.starts[i]; at > 0 && l.entries[at-1].hash == hash {
		hash |= 1
	}
	return hash
}

// writeIndex writes the root and the nodes of the htree.
func (l dirLayout) writeIndex(m *Image, blocks []byte, self uint32) {
	root, leaves := blocks[:blockSize], len(l.starts)
	le.PutUint16(root[deName+4+deRecLen:], blockSize-deName-4) // ".." covers the rest
	info := root[rootInfo:]
	info[4], info[5] = hashHalfMD4, 8 // hash version and size of the header
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
		m.setIndexChecksum(self, raw, nodeEntries)
	}
	m.setIndexChecksum(self, root, rootEntries)
}

// writeEntries writes index entries for the leaves in [from, to).
func (l dirLayout) writeEntries(raw []byte, offset, limit, from, to int) {
	for i := from; i < to; i++ {
		e := raw[offset+(i-from)*indexEntrySize:]
		le.PutUint32(e, l.leafHash(i))
		le.PutUint32(e[4:], uint32(1+l.nodes+i))
	}
	setCounts(raw[offset:], limit, to-from)
}

// writeNodes writes index entries for the nodes into the root.
func (l dirLayout) writeNodes(root []byte) {
	for node := range l.nodes {
		e := root[rootEntries+node*indexEntrySize:]
		le.PutUint32(e, l.leafHash(node*nodeLimit))
		le.PutUint32(e[4:], uint32(1+node))
	}
	setCounts(root[rootEntries:], rootLimit, l.nodes)
}

// setCounts writes the limit and the number of entries (struct dx_countlimit) in
// place of the first hash, which is always 0.
func setCounts(entries []byte, limit, count int) {
	le.PutUint16(entries, uint16(limit))
	le.PutUint16(entries[2:], uint16(count))
}

// setIndexChecksum sets the checksum of an htree block.
func (m *Image) setIndexChecksum(ino uint32, raw []byte, entries int) {
	le.PutUint32(raw[blockSize-4:], m.indexChecksum(ino, 0, raw, entries))
}

// checkIndex checks the counts and the checksum of an htree block.
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
		return errors.New("index block does not match its checksum")
	}
	return nil
}
