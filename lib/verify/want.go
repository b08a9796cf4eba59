// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"math"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/mtree"
	"banger/lib/replay"
	"banger/lib/sparse"
	"banger/lib/tree"
)

// A Want is the expected content of an ext4 image.
type Want struct {
	tree *tree.Tree
	sum  func(*tree.Inode) sparse.Sum // digest of a file's content

	lostFound bool // lost+found was added to the tree
}

// A Source returns the expected content of an image.
type Source func(context.Context) (*Want, error)

// Layers returns a Source that replays the layers of image, which may have up to
// maxEntries entries together. It calls warn for each thing in them that is not
// kept.
func Layers(image *layout.Image, maxEntries int64, warn func(string), progress func(total, done int64)) Source {
	return func(ctx context.Context) (*Want, error) {
		contents := layer.NewDigests(ctx)
		t, err := replay.Image(ctx, image, contents, replay.Options{
			// Only digests are kept, so the size of files does not matter.
			MaxSize: math.MaxInt64, MaxEntries: maxEntries, Warn: warn, Progress: progress,
		})
		if err != nil {
			return nil, err
		}
		created, _ := replay.Created(image.Config)
		return newWant(t, created.Unix(), contents.Sum), nil
	}
}

// Bundle returns a Source that reads the manifest and tree of a bundle, or a
// plain directory.
func Bundle(dir string, warn func(string)) Source {
	return func(ctx context.Context) (*Want, error) {
		_, source, err := Open(ctx, dir, warn)
		if err != nil {
			return nil, err
		}
		return source(ctx)
	}
}

// Open opens a bundle or a plain directory as bundle.Open does, and reads every
// file in it. The Source describes the files as they were read.
func Open(ctx context.Context, dir string, warn func(string)) (*bundle.Source, Source, error) {
	contents := sums{of: map[*tree.Inode]sparse.Sum{}}
	s, err := bundle.Open(ctx, dir, contents.measure, warn)
	if err != nil {
		return nil, nil, err
	}
	return s, func(context.Context) (*Want, error) {
		return newWant(s.Tree, s.Created(), contents.get), nil
	}, nil
}

// newWant returns the Want of t, to which it adds lost+found.
func newWant(t *tree.Tree, created int64, sum func(*tree.Inode) sparse.Sum) *Want {
	w := &Want{tree: t, sum: sum}
	if t.Root.Lookup(ext4.LostFound) == nil {
		lostFound := ext4.NewLostFound(created)
		lostFound.Nlink = 0 // Put counts the name
		t.Root.Put(ext4.LostFound, lostFound, nil)
		w.lostFound = true
	}
	return w
}

// Manifest returns the digest of the manifest that banger-flatten writes for the
// tree. It removes lost+found from w, which must not be used afterwards.
func (w *Want) Manifest() digest.Digest {
	if w.lostFound {
		w.tree.Root.Remove(ext4.LostFound, nil)
		w.lostFound = false
	}
	d := digest.SHA256.Digester()
	mtree.Write(d.Hash(), w.tree) // a hash never fails
	return d.Digest()
}

// sums holds the digests of file contents by inode.
type sums struct {
	mu sync.Mutex
	of map[*tree.Inode]sparse.Sum
}

// measure digests a file on the host.
func (s *sums) measure(ctx context.Context, n *tree.Inode, f *os.File) (sparse.Usage, error) {
	var sum sparse.Sum
	usage, err := sparse.ScanFile(f, func(p []byte, off int64) error {
		sum.Add(p, off)
		return ctx.Err()
	})
	s.set(n, sum)
	return usage, err
}

func (s *sums) set(n *tree.Inode, sum sparse.Sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[n] = sum
}

// get returns the digest of n, or the zero Sum if n has no content.
func (s *sums) get(n *tree.Inode) sparse.Sum { return s.of[n] }
