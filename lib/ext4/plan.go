// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"crypto/sha256"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// lostFoundBlocks is how many blocks mke2fs gives lost+found, so that e2fsck
// need not find any when it has something to put there.
const lostFoundBlocks = 4

// A plan numbers the inodes of a tree in the order in which they are written,
// and counts what they take. A directory comes before its files, and they
// before the directories in it, so that what is near in the tree is near on
// disk.
type plan struct {
	demand
	root, lostFound *tree.Inode
	seed            [4]uint32 // of the hash of names
	last            uint32    // the highest number
	rootValues      uint32    // inodes of large values of the root's
	large           bool      // some attribute has an inode of its own
	sharers         map[blockKey]int
}

// A blockKey tells blocks of attributes apart.
type blockKey [sha256.Size]byte

// newPlan numbers and counts the inodes of a tree, each under its first name.
func newPlan(o Options) (*plan, error) {
	p := &plan{root: o.Tree.Root, sharers: map[blockKey]int{}}
	for i := range p.seed {
		p.seed[i] = le.Uint32(o.Seed[16+4*i:])
	}
	if p.lostFound = p.root.Lookup(LostFound); p.lostFound == nil {
		p.lostFound = NewLostFound(o.Created)
	}
	p.last = lostFoundIno
	p.blocks = -1 - lostFoundBlocks // which mke2fs has taken already
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

// NewLostFound is lost+found as mke2fs makes it, of an image made when it was
// created.
func NewLostFound(created int64) *tree.Inode {
	return &tree.Inode{Type: tree.Dir, Mode: 0o700, Nlink: 1, Sec: fakeTime(created)}
}

// count adds what an inode's content takes.
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

// addFile adds what a file's content takes, going by what is known of it, or
// with -1 takes it off again.
func (p *plan) addFile(n *tree.Inode, times int64) {
	p.content += times * n.Blocks
	p.demand.blocks += times * (n.Blocks + extentBlocks(mostExtents(n)))
}

// mostExtents is how many extents a file can have: as many as there are runs,
// one more wherever one would be too long or something lies in the way, at the
// start of a group, the journal, or the indirect block of the resize inode.
func mostExtents(n *tree.Inode) int64 { return n.Runs + 2*(n.Blocks/maxExtentLen) + 2 }

// recount corrects what is known of a file's content.
func (p *plan) recount(n *tree.Inode, blocks, runs int64) {
	p.addFile(n, -1)
	n.Blocks, n.Runs = blocks, runs
	p.addFile(n, 1)
}

// countXattrs numbers the inodes of large values, and adds what attributes
// take outside the inode: identical blocks are shared.
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
			p.rootValues = uint32(len(where.large))
		}
		p.large = true
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

// placeXattrs says where the attributes of an inode go, which has its number.
func (p *plan) placeXattrs(n *tree.Inode) (placement, error) {
	all, err := attributes(n.Xattrs)
	if err != nil {
		return placement{}, err
	}
	return place(all, p.firstValue(n))
}

// firstValue is the number of an inode's first large value: those of an inode
// follow it, the root's and lost+found's what is reserved.
func (p *plan) firstValue(n *tree.Inode) uint32 {
	switch n {
	case p.root:
		return lostFoundIno + 1
	case p.lostFound:
		return lostFoundIno + 1 + p.rootValues
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

// entries are the names of a directory, and how many of them are directories.
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

// layOut lays a directory out. lost+found has four blocks from the start, and
// the kernel gives an index only to what grows out of its first.
func (p *plan) layOut(dir *tree.Inode, entries []dirEntry) (dirLayout, error) {
	if dir != p.lostFound {
		return layOut(entries, p.seed)
	}
	l := layOutLinear(entries)
	l.blocks = max(l.blocks, lostFoundBlocks)
	return l, nil
}
