// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"banger/lib/ext4"
	"banger/lib/sparse"
	"banger/lib/tree"
)

// An image is an ext4 image with its tree and the digests of its files.
type image struct {
	*ext4.Image
	report func(Difference)
	tree   *tree.Tree // nil if it could not be read
	sums
}

func (i *image) damaged(text string) { i.report(Difference{What: Filesystem, Have: valueOf(text)}) }

// read reads the image and reports damage. It returns only errors of the host
// and of the context.
func (i *image) read(ctx context.Context) error {
	t, err := i.ReadTree(ctx)
	if err != nil {
		if ext4.HostError(err) {
			return err
		}
		i.damaged(err.Error())
		return nil
	}
	if err := i.Check(ctx, t, i.damaged); err != nil {
		return err
	}
	i.of = map[*tree.Inode]sparse.Sum{}
	if err := i.digest(ctx, t); err != nil {
		return err
	}
	i.tree = t
	return nil
}

// digest reads all files on all processors, by inode number, which is usually
// the order on disk.
func (i *image) digest(ctx context.Context, t *tree.Tree) error {
	var files []*tree.Inode
	seen := map[uint32]bool{}
	t.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		if n.Type == tree.File && n.Blocks > 0 && !seen[n.Ino] {
			seen[n.Ino] = n.Nlink > 1
			files = append(files, n)
		}
		return nil
	})
	slices.SortFunc(files, func(a, b *tree.Inode) int { return cmp.Compare(a.Ino, b.Ino) })
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range files {
		group.Go(func() error { return i.digestFile(groupCtx, n) })
	}
	return group.Wait()
}

// digestFile reads a file. The bytes after its end in the last block must be
// zeros, because mmap(2) exposes them.
func (i *image) digestFile(ctx context.Context, n *tree.Inode) error {
	f, err := i.Content(n)
	if err != nil {
		return err
	}
	var sum sparse.Sum
	err = f.VisitBlocks(func(off int64, blocks []byte) error {
		if end := n.Size - off; end < int64(len(blocks)) {
			if !sparse.Zero(blocks[max(0, end):]) {
				i.damaged(fmt.Sprintf("inode %d: nonzero bytes after the end of the content", n.Ino))
			}
			blocks = blocks[:max(0, end)]
		}
		sum.Add(blocks, off)
		return ctx.Err()
	})
	i.set(n, sum)
	return err
}
