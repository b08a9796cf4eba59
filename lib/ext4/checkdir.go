// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// A dirCheck is a directory whose blocks are gone through.
type dirCheck struct {
	*checker
	n      *tree.Inode
	leaves []leaf // of an indexed directory, by block
	seed   [4]uint32

	lost  int // names that the index does not lead to
	first string
}

// directory checks the blocks of a directory: the entries of each are those that
// the tree has, "." and "..", and where the index leads to.
func (c *checker) directory(n *tree.Inode, f *File, indexed bool) error {
	d := dirCheck{checker: c, n: n, seed: c.hashSeed()}
	if len(f.extents) == 0 || !f.whole() {
		d.tell("has not all of its blocks")
		return nil
	}
	if indexed {
		var err error
		if d.leaves, err = c.leavesOf(n.Ino, f); err != nil {
			return d.judge(err)
		}
	}
	err := f.Stored(func(off int64, blocks []byte) error {
		for ; len(blocks) > 0; off, blocks = off+blockSize, blocks[blockSize:] {
			if err := d.block(off/blockSize, blocks[:blockSize]); err != nil {
				return err
			}
		}
		return nil
	})
	if d.lost > 0 {
		d.tell("the index does not lead to %d of its names: %s", d.lost, d.first)
	}
	return d.judge(err)
}

func (d *dirCheck) tell(format string, args ...any) {
	d.checker.tell("directory inode %d, ./%s: %s", d.n.Ino, mtree.Escape(d.n.Path()), fmt.Sprintf(format, args...))
}

func (d *dirCheck) judge(err error) error {
	return d.checker.judge(err, "directory inode %d, ./%s", d.n.Ino, mtree.Escape(d.n.Path()))
}

// block checks one block.
func (d *dirCheck) block(logical int64, block []byte) error {
	if d.leaves != nil && d.leaves[logical].index {
		if logical == 0 {
			d.dots(block, blockSize-deName-4)
		}
		return nil
	}
	if !hasTail(block) {
		return errDir
	}
	if err := d.checkTail(d.n.Ino, 0, block); err != nil {
		return err
	}
	return records(block, func(at int, rec []byte) error {
		switch {
		case logical > 0 || at > deName+4:
			d.entry(logical, rec)
		case at == 0:
			d.dots(block, le.Uint16(block[deName+4+deRecLen:]))
		}
		return nil
	})
}

// dots checks the first two entries of a directory. The second record is of a
// size.
func (d *dirCheck) dots(block []byte, second uint16) {
	for _, dot := range []struct {
		name string
		at   int
		ino  uint32
		size uint16
	}{
		{".", 0, d.n.Ino, deName + 4},
		{"..", deName + 4, d.dirs[d.n.Ino].parent, second},
	} {
		rec := block[dot.at:]
		if le.Uint16(rec[deRecLen:]) != dot.size || int(rec[deNameLen]) != len(dot.name) ||
			string(rec[deName:][:len(dot.name)]) != dot.name || rec[deType] != fileTypes[tree.Dir] {
			d.tell("no %s where it must be", dot.name)
		} else if ino := le.Uint32(rec); ino != dot.ino {
			d.tell("%s is inode %d, not %d", dot.name, ino, dot.ino)
		}
	}
}

// entry checks an entry, which is none where a name was taken out.
func (d *dirCheck) entry(logical int64, rec []byte) {
	if le.Uint32(rec) == 0 {
		return
	}
	name := nameIn(rec)
	n := d.n.Lookup(name)
	switch {
	case n == nil || n.Ino != le.Uint32(rec):
		d.tell("%s is not in its place, or not there", mtree.Escape(name))
		return
	case rec[deType] != fileTypes[n.Type]:
		d.tell("%s is of type %d, its inode of type %d", mtree.Escape(name), rec[deType], fileTypes[n.Type])
	}
	if d.leaves == nil {
		return
	}
	l, hash := d.leaves[logical], nameHash(d.seed, name)
	if l.holds(hash) {
		return
	}
	if d.lost++; d.lost == 1 {
		d.first = fmt.Sprintf("%s, of hash %#x, is in a leaf for %#x to %#x", mtree.Escape(name), hash, l.from, l.to)
	}
}
