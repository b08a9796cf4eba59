// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// Check holds the filesystem's own metadata, of which t is what ReadTree has
// read, against what it must be, byte by byte: the format is one, and no kernel
// has changed the image. found hears, in a line each, what is otherwise; the
// error is the host's or the context's alone.
//
// What is described by something that is damaged itself is not looked at. An
// image that was mounted since it was made is told in one line.
func (m *Image) Check(ctx context.Context, t *tree.Tree, found func(problem string)) error {
	c := &checker{
		Image: m, ctx: ctx, found: found, owned: make([]*bitmap, m.groupCount()),
		shared: map[int64]*sharers{}, values: map[uint32]value{},
	}
	if !m.pristine() {
		c.tell("the image was mounted since it was made, %d times: its metadata is a kernel's", le.Uint16(m.super[sbMountCount:]))
		return nil
	}
	if !c.descriptors() || !c.superblock() {
		return nil
	}
	c.take(t)
	for _, step := range []func() error{c.behind, c.backups, c.fixed, c.resizeBlocks, c.tables, c.journal, c.bitmaps} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	c.counts()
	return nil
}

// A checker is a check under way.
type checker struct {
	*Image
	ctx   context.Context
	found func(problem string)

	inodes []*tree.Inode        // of the tree, by number
	dirs   map[uint32]directory // of the tree

	owned  []*bitmap          // blocks of each group that something is in; nil for none
	shared map[int64]*sharers // blocks of attributes that several inodes may have
	values map[uint32]value   // inodes that attributes say have their values

	freeBlocks, freeInodes int64

	chunk [tableChunk]byte // read to see whether it is zeros
	table [tableChunk]byte // inodes that are looked at
}

// A directory is what the tree says of one beside its names.
type directory struct{ parent, subdirs uint32 }

// take sorts the inodes of a tree by number.
func (c *checker) take(t *tree.Tree) {
	c.dirs = map[uint32]directory{}
	t.Walk(func(dir *tree.Inode, _ string, n *tree.Inode) error {
		c.inodes = append(c.inodes, n)
		if n.Type != tree.Dir {
			return nil
		}
		if dir == nil {
			dir = n
		} else {
			above := c.dirs[dir.Ino]
			above.subdirs++
			c.dirs[dir.Ino] = above
		}
		c.dirs[n.Ino] = directory{parent: dir.Ino}
		return nil
	})
	c.inodes = byNumber(c.inodes)
}

func (c *checker) tell(format string, args ...any) { c.found(fmt.Sprintf(format, args...)) }

// judge tells of an error that is the image's, and returns one that is the
// host's.
func (c *checker) judge(err error, format string, args ...any) error {
	var host *fs.PathError
	if err == nil || errors.As(err, &host) {
		return err
	}
	c.tell("%s: %v", fmt.Sprintf(format, args...), err)
	return nil
}

// read reads whole blocks.
func (c *checker) read(physical, count int64) ([]byte, error) {
	raw := make([]byte, count*blockSize)
	_, err := c.f.ReadAt(raw, physical*blockSize)
	return raw, short(err)
}

// zeros tells where a stretch of blocks that belongs to something is not all
// zeros. Holes are not read.
func (c *checker) zeros(physical, count int64, what string) error {
	at, err := c.nonzero(physical*blockSize, (physical+count)*blockSize)
	if err == nil && at >= 0 {
		c.tell("%s: block %d is not all zeros, byte %#x", what, at/blockSize, at%blockSize)
	}
	return err
}

// behind tells what is in the file behind the end of the filesystem, which may be
// shorter by what does not make a group.
func (c *checker) behind() error {
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	at, err := c.nonzero(c.Size(), info.Size())
	if err == nil && at >= 0 {
		c.tell("behind its end the file is not all zeros, byte %d", at)
	}
	return err
}

// nonzero returns the first byte from one up to another that is not zero, or -1.
func (c *checker) nonzero(at, end int64) (int64, error) {
	for at < end {
		from, to, err := sparse.NextData(c.f, at)
		if err != nil || from == to {
			return -1, err
		}
		for at = max(at, from); at < min(to, end); {
			part := c.chunk[:min(tableChunk, min(to, end)-at)]
			if _, err := c.f.ReadAt(part, at); err != nil {
				return -1, short(err)
			}
			if i := firstNonzero(part); i >= 0 {
				return at + int64(i), nil
			}
			at += int64(len(part))
		}
	}
	return -1, nil
}

var zeroBlock [blockSize]byte

// firstNonzero returns the place of the first byte that is not zero, or -1.
func firstNonzero(p []byte) int {
	for at := 0; at < len(p); {
		part := p[at:min(at+blockSize, len(p))]
		if bytes.Equal(part, zeroBlock[:len(part)]) {
			at += len(part)
			continue
		}
		for p[at] == 0 {
			at++
		}
		return at
	}
	return -1
}

// firstDifference returns the first byte at which two of one length are not the
// same, or -1.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	at := 0
	for a[at] == b[at] {
		at++
	}
	return at
}
