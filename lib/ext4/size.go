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
	defaultMinSize = 1 << 30      // minimum by default
	minSize        = 8 << 20      // mke2fs makes no journal in less
	sizeStep       = 1 << 20      // computed sizes are multiples of this
	bytesPerInode  = 16 << 10     // inode_ratio, the default of mke2fs
	baseInodes     = lostFoundIno // number of inodes that every filesystem uses
)

// A geometry is a size with the free space that it must leave.
type geometry struct {
	size       int64 // of the file in bytes
	inodes     int64 // requested from mkfs.ext4
	free       int64 // required free blocks
	freeInodes int64
}

// demand is the space that a tree needs in an empty filesystem, not counting the
// root and lost+found.
type demand struct{ blocks, inodes, content int64 }

// geometry returns the required free space and the first size to try.
func (d demand) geometry(o Options) (g geometry) {
	if o.Size == 0 && !o.Minimal {
		g.free, g.freeInodes = (d.content+3)/4, (d.inodes+baseInodes+3)/4
		if o.Free >= 0 {
			g.free = blocksOf(o.Free)
		}
	}
	g.size = o.Size
	if o.Size == 0 {
		g.size = max(roundUp((d.blocks+g.free)*blockSize, sizeStep), minSize)
		if !o.Minimal {
			g.size = max(g.size, defaultMinSize)
		}
	}
	return g
}

// size computes the size of the file. It makes an empty filesystem, and a larger one
// until enough is free. An empty filesystem takes little time and space.
func (mk *Mkfs) size(ctx context.Context, path string, o Options, d demand) (geometry, error) {
	g, err := mk.grow(ctx, path, o, d)
	if o.Size > 0 && errors.Is(err, errNoRoom) {
		// With a fixed size, free inodes are optional.
		tight := o
		tight.Minimal = true
		g, err = mk.grow(ctx, path, tight, d)
	}
	if o.Size > 0 && errors.Is(err, errNoRoom) {
		o.Size, o.Minimal = 0, true
		smallest, err := mk.grow(ctx, path, o, d)
		if err != nil {
			return g, err
		}
		return g, status.Hint(status.Errorf(status.Create, "%d bytes: %w", g.size, errNoRoom),
			"--size %d is the minimum (%s)", smallest.size, units.BytesSize(float64(smallest.size)))
	}
	return g, err
}

// grow increases the size, unless it is fixed, until enough is free.
func (mk *Mkfs) grow(ctx context.Context, path string, o Options, d demand) (geometry, error) {
	for g := d.geometry(o); ; {
		if g.size < minSize {
			return g, errNoRoom
		}
		g.inodes = d.inodes + baseInodes + g.freeInodes
		if !o.Minimal {
			g.inodes = max(g.inodes, g.size/bytesPerInode)
		}
		missing, err := mk.missingBlocks(ctx, path, o, d, g)
		if err != nil || missing <= 0 {
			return g, err
		}
		if o.Size > 0 {
			return g, errNoRoom
		}
		g.size += roundUp(missing*blockSize, sizeStep)
	}
}

// missingBlocks makes an empty filesystem and returns how many blocks it lacks.
func (mk *Mkfs) missingBlocks(ctx context.Context, path string, o Options, d demand, g geometry) (int64, error) {
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
	if missing := d.inodes + g.freeInodes - m.FreeInodes(); missing > 0 {
		return 0, fmt.Errorf("mkfs.ext4 made %d inodes fewer than requested", missing)
	}
	return d.blocks + g.free - m.FreeBlocks(), nil
}

// blocksOf returns the number of blocks that hold size bytes.
func blocksOf(size int64) int64 { return roundUp(size, blockSize) / blockSize }

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// measure returns the demand of a tree for mkfs.ext4 -d, with upper bounds for
// directories and extent trees.
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

// dirBlocks returns the number of blocks of a directory if entries are added only
// to its last block. mke2fs also fills gaps in earlier blocks.
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

// halfFullExtentBlocks returns the number of blocks of a file's extent tree whose
// nodes are half full, as libext2fs leaves them.
func halfFullExtentBlocks(n *tree.Inode) (blocks int64) {
	for nodes := n.Runs + n.Blocks/maxExtentLen; nodes > inodeExtents; blocks += nodes {
		nodes = (nodes + blockExtents/2 - 1) / (blockExtents / 2)
	}
	return blocks
}
