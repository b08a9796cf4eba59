// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"

	"banger/lib/mtree"
	"banger/lib/tree"
)

// A dirCheck checks the blocks of a directory.
type dirCheck struct {
	*checker
	n      *tree.Inode
	blocks []dxBlock // of an indexed directory, by block
	seed   [4]uint32

	unreachable int    // number of names not reachable by the index
	first       string // describes the first of them
}

// directory checks the blocks of a directory: the entries, including "." and "..",
// and the index.
func (c *checker) directory(n *tree.Inode, f *File, indexed bool) error {
	d := dirCheck{checker: c, n: n, seed: c.hashSeed()}
	if len(f.extents) == 0 || !f.whole() {
		d.problem("missing blocks")
		return nil
	}
	if indexed {
		var err error
		if d.blocks, err = c.readIndex(n.Ino, f); err != nil {
			return d.imageError(err)
		}
	}
	err := f.VisitBlocks(func(off int64, blocks []byte) error {
		for ; len(blocks) > 0; off, blocks = off+blockSize, blocks[blockSize:] {
			if err := d.block(off/blockSize, blocks[:blockSize]); err != nil {
				return err
			}
		}
		return nil
	})
	if d.unreachable > 0 {
		d.problem("%d names not reachable by the index: %s", d.unreachable, d.first)
	}
	return d.imageError(err)
}

func (d *dirCheck) problem(format string, args ...any) {
	d.checker.problem("directory inode %d, ./%s: %s", d.n.Ino, mtree.Escape(d.n.Path()), fmt.Sprintf(format, args...))
}

func (d *dirCheck) imageError(err error) error {
	return d.checker.imageError(err, "directory inode %d, ./%s", d.n.Ino, mtree.Escape(d.n.Path()))
}

// block checks a block.
func (d *dirCheck) block(logical int64, block []byte) error {
	if d.blocks != nil && d.blocks[logical].index {
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

// dots checks the entries "." and "..". second is the size of the second record.
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
			d.problem("missing %s", dot.name)
		} else if ino := le.Uint32(rec); ino != dot.ino {
			d.problem("%s is inode %d, should be %d", dot.name, ino, dot.ino)
		}
	}
}

// entry checks an entry, which may be unused.
func (d *dirCheck) entry(logical int64, rec []byte) {
	if le.Uint32(rec) == 0 {
		return
	}
	name := nameIn(rec)
	n := d.n.Lookup(name)
	switch {
	case n == nil || n.Ino != le.Uint32(rec):
		d.problem("unexpected entry %s", mtree.Escape(name))
		return
	case rec[deType] != fileTypes[n.Type]:
		d.problem("%s has type %d, should be %d", mtree.Escape(name), rec[deType], fileTypes[n.Type])
	}
	if d.blocks == nil {
		return
	}
	l, hash := d.blocks[logical], nameHash(d.seed, name)
	if l.holds(hash) {
		return
	}
	if d.unreachable++; d.unreachable == 1 {
		d.first = fmt.Sprintf("%s with hash %#x is in the leaf for %#x to %#x", mtree.Escape(name), hash, l.from, l.to)
	}
}
