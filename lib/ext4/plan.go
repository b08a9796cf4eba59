// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"crypto/sha256"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// lostFoundBlocks is the number of blocks of lost+found. mke2fs preallocates them
// so that e2fsck need not allocate any.
const lostFoundBlocks = 4

// A plan numbers the inodes of a tree in the order in which they are written, and
// counts the space they need. Each directory precedes its files, and those precede
// its subdirectories, so that neighbours in the tree are neighbours on disk.
type plan struct {
	demand
	root, lostFound *tree.Inode
	seed            [4]uint32        // hash seed
	last            uint32           // the highest inode number
	rootEACount     uint32           // number of EA inodes of the root
	eaInode         bool             // some attribute needs an EA inode
	sharers         map[blockKey]int // number of inodes by xattr block
}

// A blockKey identifies the content of an xattr block.
type blockKey [sha256.Size]byte

// newPlan numbers and counts the inodes of a tree, each at its first name.
func newPlan(o Options) (*plan, error) {
	p := &plan{root: o.Tree.Root, sharers: map[blockKey]int{}}
	for i := range p.seed {
		p.seed[i] = le.Uint32(o.Seed[16+4*i:])
	}
	if p.lostFound = p.root.Lookup(LostFound); p.lostFound == nil {
		p.lostFound = NewLostFound(o.Created)
	}
	p.last = lostFoundIno
	p.blocks = -1 - lostFoundBlocks // mke2fs has allocated the root and lost+found
	err := p.walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		switch n {
		case p.root:
			n.Ino = rootIno
		case p.lostFound:
			n.Ino = lostFoundIno
		default:
			p.last++
			n.Ino = p.last
		}
		if err := p.count(n); err != nil {
			return err
		}
		return p.countXattrs(n)
	}, nil)
	p.inodes = int64(p.last - lostFoundIno)
	return p, err
}

// NewLostFound returns lost+found as mke2fs makes it at time created.
func NewLostFound(created int64) *tree.Inode {
	return &tree.Inode{Type: tree.Dir, Mode: 0o700, Nlink: 1, Sec: fakeTime(created)}
}

// count adds the blocks of an inode's content.
func (p *plan) count(n *tree.Inode) error {
	switch {
	case n.Type == tree.File:
		p.addFile(n, 1)
	case n.Type == tree.Symlink && len(n.Target) >= fastSymlink:
		p.blocks++
	case n.Type == tree.Dir:
		entries, _ := p.entries(n)
		l, err := p.layOut(n, entries)
		if err != nil {
			return status.Errorf(status.Bad, "./%s/: %w", mtree.Escape(n.Path()), err)
		}
		p.blocks += int64(l.blocks)
	}
	return nil
}

// addFile adds the blocks of a file, or with times -1 subtracts them.
func (p *plan) addFile(n *tree.Inode, times int64) {
	p.content += times * n.Blocks
	p.demand.blocks += times * (n.Blocks + extentBlocks(maxExtents(n)))
}

// maxExtents returns an upper bound for the extents of a file: one for each run,
// and one more wherever an extent would be too long or is split by metadata, the
// journal, or the indirect block of the resize inode.
func maxExtents(n *tree.Inode) int64 { return n.Runs + 2*(n.Blocks/maxExtentLen) + 2 }

// recount changes the block count of a file.
func (p *plan) recount(n *tree.Inode, blocks, runs int64) {
	p.addFile(n, -1)
	n.Blocks, n.Runs = blocks, runs
	p.addFile(n, 1)
}

// countXattrs numbers the EA inodes of n, and adds the blocks of its xattrs.
// Identical xattr blocks are shared.
func (p *plan) countXattrs(n *tree.Inode) error {
	if len(n.Xattrs) == 0 {
		return nil
	}
	where, err := p.placeXattrs(n)
	if err != nil || len(where.block) == 0 {
		return err
	}
	if len(where.large) > 0 {
		p.last += uint32(len(where.large))
		if n == p.root {
			p.rootEACount = uint32(len(where.large))
		}
		p.eaInode = true
		p.blocks += 1 + where.valueBlocks()
		return nil
	}
	key := keyOf(where.block)
	if p.sharers[key]%maxXattrRefs == 0 {
		p.blocks++
	}
	p.sharers[key]++
	return nil
}

// placeXattrs returns where the xattrs of an inode go. The inode must be numbered.
func (p *plan) placeXattrs(n *tree.Inode) (placement, error) {
	all, err := attributes(n.Xattrs)
	if err != nil {
		return placement{}, err
	}
	return placeAttributes(all, p.firstEAInode(n))
}

// firstEAInode returns the number of an inode's first EA inode. EA inodes follow
// their owner; those of the root and lost+found follow the reserved inodes.
func (p *plan) firstEAInode(n *tree.Inode) uint32 {
	switch n {
	case p.root:
		return lostFoundIno + 1
	case p.lostFound:
		return lostFoundIno + 1 + p.rootEACount
	}
	return n.Ino + 1
}

func keyOf(all []attribute) (key blockKey) {
	h := sha256.New()
	for _, a := range all {
		fmt.Fprintf(h, "%d %d %d %s%s", a.index, len(a.name), len(a.value), a.name, a.value)
	}
	h.Sum(key[:0])
	return key
}

// entries returns the entries of a directory and the number of subdirectories.
func (p *plan) entries(dir *tree.Inode) (all []dirEntry, subdirs int) {
	all = make([]dirEntry, 0, dir.Len()+1)
	add := func(name string, n *tree.Inode) {
		all = append(all, dirEntry{name: name, ino: n.Ino, kind: fileTypes[n.Type]})
		if n.Type == tree.Dir {
			subdirs++
		}
	}
	if dir == p.root && dir.Lookup(LostFound) == nil {
		add(LostFound, p.lostFound)
	}
	for _, name := range dir.Names() {
		add(name, dir.Lookup(name))
	}
	return all, subdirs
}

// layOut lays out a directory. lost+found has several blocks from the start, and
// the kernel indexes only directories that outgrow their first block.
func (p *plan) layOut(dir *tree.Inode, entries []dirEntry) (dirLayout, error) {
	if dir != p.lostFound {
		return layOut(entries, p.seed)
	}
	l := layOutLinear(entries)
	l.blocks = max(l.blocks, lostFoundBlocks)
	return l, nil
}
