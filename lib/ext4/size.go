// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/go-units"

	"banger/lib/status"
	"banger/lib/tree"
)

const (
	defaultSize   = 1 << 30      // the file is not smaller, unless it is told to be
	smallest      = 8 << 20      // mke2fs makes no journal in less
	sizeStep      = 1 << 20      // sizes are multiples of this
	bytesPerInode = 16 << 10     // as mke2fs has it: room for inodes grows with the file
	reservedInode = lostFoundIno // 1 to 10, and lost+found
)

// A geometry is a size that keeps the promises.
type geometry struct {
	size       int64 // of the file, bytes
	inodes     int64 // to ask mkfs.ext4 for
	free       int64 // blocks that must be left over
	freeInodes int64
}

// demand is what a tree takes of a filesystem that is empty but for its root
// and lost+found.
type demand struct{ blocks, inodes, content int64 }

// promise says how much has to be left over, and the size to try first.
func (d demand) promise(o Options) (g geometry) {
	if o.Size == 0 && !o.Minimal {
		g.free, g.freeInodes = (d.content+3)/4, (d.inodes+reservedInode+3)/4
		if o.Free >= 0 {
			g.free = blocksOf(o.Free)
		}
	}
	g.size = o.Size
	if o.Size == 0 {
		g.size = max(roundUp((d.blocks+g.free)*blockSize, sizeStep), smallest)
		if !o.Minimal {
			g.size = max(g.size, defaultSize)
		}
	}
	return g
}

// size finds the file's size: an empty filesystem is made, which takes
// milliseconds and no space, and grown until what it has free is enough.
func (mk *Mkfs) size(ctx context.Context, path string, o Options, d demand) (geometry, error) {
	g, err := mk.grow(ctx, path, o, d)
	if o.Size > 0 && errors.Is(err, errNoRoom) {
		// As many inodes as usual are a wish where a size is given.
		exact := o
		exact.Minimal = true
		g, err = mk.grow(ctx, path, exact, d)
	}
	if o.Size > 0 && errors.Is(err, errNoRoom) {
		o.Size, o.Minimal = 0, true
		least, err := mk.grow(ctx, path, o, d)
		if err != nil {
			return g, err
		}
		return g, status.Hint(status.Errorf(status.Create, "%d bytes: %w", g.size, errNoRoom),
			"--size %d is the least that holds it (%s)", least.size, units.BytesSize(float64(least.size)))
	}
	return g, err
}

// grow tries sizes, unless one is asked for, until the promises hold.
func (mk *Mkfs) grow(ctx context.Context, path string, o Options, d demand) (geometry, error) {
	for g := d.promise(o); ; {
		if g.size < smallest {
			return g, errNoRoom
		}
		g.inodes = d.inodes + reservedInode + g.freeInodes
		if !o.Minimal {
			g.inodes = max(g.inodes, g.size/bytesPerInode)
		}
		missing, err := mk.missing(ctx, path, o, d, g)
		if err != nil || missing <= 0 {
			return g, err
		}
		if o.Size > 0 {
			return g, errNoRoom
		}
		g.size += roundUp(missing*blockSize, sizeStep)
	}
}

// missing tells how many blocks an empty filesystem of a size lacks.
func (mk *Mkfs) missing(ctx context.Context, path string, o Options, d demand, g geometry) (int64, error) {
	if err := blank(path, g.size); err != nil {
		return 0, err
	}
	err := mk.format(ctx, path, o, g.inodes, "")
	if errors.Is(err, errNoRoom) {
		return max(g.size/8, sizeStep) / blockSize, nil
	}
	if err != nil {
		return 0, err
	}
	m, err := Open(path)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if lack := d.inodes + g.freeInodes - m.FreeInodes(); lack > 0 {
		return 0, fmt.Errorf("mkfs.ext4 made %d inodes fewer than asked for", lack)
	}
	return d.blocks + g.free - m.FreeBlocks(), nil
}

// blocksOf is how many blocks hold so many bytes.
func blocksOf(size int64) int64 { return roundUp(size, blockSize) / blockSize }

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// measure counts what a tree takes of mkfs.ext4 -d. Of directories and extent trees it counts
// the most that they can take.
func measure(t *tree.Tree) demand {
	d := demand{blocks: dirBlocks(t.Root) - 1}
	seen := map[*tree.Inode]bool{}
	t.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		if dir == nil || dir == t.Root && name == "lost+found" || seen[n] {
			return nil
		}
		if n.Nlink > 1 {
			seen[n] = true
		}
		d.inodes++
		switch {
		case n.Type == tree.File:
			d.blocks += n.Blocks + halfFullExtentBlocks(n)
			d.content += n.Blocks
		case n.Type == tree.Symlink && len(n.Target) >= fastSymlink:
			d.blocks++
		case n.Type == tree.Dir:
			d.blocks += dirBlocks(n)
		}
		return nil
	})
	return d
}

// dirBlocks is how many blocks a directory takes when entries go into the last
// block only; mke2fs also fills gaps in those before.
func dirBlocks(dir *tree.Inode) int64 {
	const room = blockSize - tailSize
	blocks, used := int64(1), 2*(deName+4) // "." and ".."
	for _, name := range dir.Names() {
		size := deName + pad4(len(name))
		if used += size; used > room {
			blocks, used = blocks+1, size
		}
	}
	return blocks
}

// halfFullExtentBlocks is how many blocks the extent tree of a file takes outside
// the inode, when its nodes are half full, as libext2fs leaves them.
func halfFullExtentBlocks(n *tree.Inode) (blocks int64) {
	for nodes := n.Runs + n.Blocks/maxExtentLen; nodes > inodeExtents; blocks += nodes {
		nodes = (nodes + blockExtents/2 - 1) / (blockExtents / 2)
	}
	return blocks
}
