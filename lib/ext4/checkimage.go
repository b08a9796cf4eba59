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

// Check compares the filesystem metadata with what follows from t, the tree returned
// by ReadTree. Fields that do not follow from it, such as the UUID and the times of
// the superblock, are covered by their checksums. Check calls found with a line for
// each problem, and returns only errors of the host or of the context.
//
// Check skips structures that damaged ones refer to. If the image was mounted, or
// another program made it, Check reports only that.
func (m *Image) Check(ctx context.Context, t *tree.Tree, found func(problem string)) error {
	c := &checker{
		Image: m, ctx: ctx, found: found, owned: make([]*bitmap, m.groupCount()),
		shared: map[int64]*blockRefs{}, values: map[uint32]eaValue{},
	}
	if !m.pristine() {
		c.problem("not as banger-mkext4 made it: mounted, or made by another program")
		return nil
	}
	if !c.descriptors() || !c.superblock() {
		return nil
	}
	c.collect(t)
	for _, step := range []func() error{c.trailing, c.backups, c.claimMetadata, c.resizeBlocks, c.inodeTables, c.journal, c.bitmaps} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	c.checkCounts()
	return nil
}

// A checker checks an image.
type checker struct {
	*Image
	ctx   context.Context
	found func(problem string)

	inodes []*tree.Inode        // of the tree, by number
	dirs   map[uint32]directory // of the tree

	owned  []*bitmap            // blocks in use by group; nil for none
	shared map[int64]*blockRefs // xattr blocks that may be shared
	values map[uint32]eaValue   // EA inodes to be checked

	freeBlocks, freeInodes int64

	chunk [tableChunk]byte // buffer for nonzero
	table [tableChunk]byte // buffer for inode tables
}

// A directory holds the parent and the number of subdirectories.
type directory struct{ parent, subdirs uint32 }

// collect collects the inodes and directories of a tree.
func (c *checker) collect(t *tree.Tree) {
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

func (c *checker) problem(format string, args ...any) { c.found(fmt.Sprintf(format, args...)) }

// imageError reports an error of the image as a problem, and returns an error of
// the host.
func (c *checker) imageError(err error, format string, args ...any) error {
	var host *fs.PathError
	if err == nil || errors.As(err, &host) {
		return err
	}
	c.problem("%s: %v", fmt.Sprintf(format, args...), err)
	return nil
}

// read reads whole blocks.
func (c *checker) read(physical, count int64) ([]byte, error) {
	raw := make([]byte, count*blockSize)
	_, err := c.f.ReadAt(raw, physical*blockSize)
	return raw, noEOF(err)
}

// checkZeros reports a problem if a range of blocks is not all zeros. It does not
// read holes.
func (c *checker) checkZeros(physical, count int64, what string) error {
	at, err := c.nonzero(physical*blockSize, (physical+count)*blockSize)
	if err == nil && at >= 0 {
		c.problem("%s: block %d is nonzero at byte %#x", what, at/blockSize, at%blockSize)
	}
	return err
}

// trailing checks the file after the end of the filesystem, which may be shorter
// because mke2fs drops a last group that is too small.
func (c *checker) trailing() error {
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	at, err := c.nonzero(c.Size(), info.Size())
	if err == nil && at >= 0 {
		c.problem("nonzero byte %d after the end of the filesystem", at)
	}
	return err
}

// nonzero returns the offset of the first nonzero byte in [at, end), or -1.
func (c *checker) nonzero(at, end int64) (int64, error) {
	for at < end {
		from, to, err := sparse.NextData(c.f, at)
		if err != nil || from == to {
			return -1, err
		}
		for at = max(at, from); at < min(to, end); {
			part := c.chunk[:min(tableChunk, min(to, end)-at)]
			if _, err := c.f.ReadAt(part, at); err != nil {
				return -1, noEOF(err)
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

// firstNonzero returns the index of the first nonzero byte, or -1.
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

// firstDifference returns the index of the first byte in which two slices of the
// same length differ, or -1.
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
