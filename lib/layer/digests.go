// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"context"
	"sync"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// Digests stores only digests of file contents, under numbers, to compare other
// files with.
type Digests struct {
	mu  sync.Mutex
	all []sparse.Sum
	*pool
}

// NewDigests returns an empty Digests.
func NewDigests(ctx context.Context) *Digests { return &Digests{pool: newPool(ctx)} }

// Keep digests the content of a file and sets n.Content.
func (d *Digests) Keep(n *tree.Inode, src *sparse.Source) error {
	d.mu.Lock()
	d.all = append(d.all, sparse.Sum{})
	n.Content = int64(len(d.all))
	d.mu.Unlock()
	return d.do(src, func(src *sparse.Source) error {
		usage, sum, err := sparse.Digest(src)
		n.Size, n.Blocks, n.Runs = usage.Size, usage.Blocks, usage.Runs
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all[n.Content-1] = sum
		return err
	})
}

// Sum returns the digest of a file's content.
func (d *Digests) Sum(n *tree.Inode) sparse.Sum {
	if n.Content == 0 {
		return sparse.Sum{} // an empty file
	}
	return d.all[n.Content-1]
}
