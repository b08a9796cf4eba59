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

// A Want is what an ext4 image is to hold.
type Want struct {
	tree *tree.Tree
	sum  func(*tree.Inode) sparse.Sum // of a file's content

	lostFound bool // was added to the tree
}

// A Source makes what an image is to hold.
type Source func(context.Context) (*Want, error)

// Layers are the source that is furthest from the image: the layers themselves,
// replayed once more, of maxEntries entries together. warn hears what cannot be
// kept of them.
func Layers(image *layout.Image, maxEntries int64, warn func(string), progress func(total, done int64)) Source {
	return func(ctx context.Context) (*Want, error) {
		contents := layer.NewDigests(ctx)
		t, err := replay.Image(ctx, image, contents, replay.Options{
			// Of contents, however large, only digests are kept.
			MaxSize: math.MaxInt64, MaxEntries: maxEntries, Warn: warn, Progress: progress,
		})
		if err != nil {
			return nil, err
		}
		created, _ := replay.Created(image.Config)
		return newWant(t, created.Unix(), contents.Sum), nil
	}
}

// Bundle is the source that is nearer: a bundle's manifest and tree as they are
// now, or a plain directory.
func Bundle(dir string, warn func(string)) Source {
	return func(ctx context.Context) (*Want, error) {
		_, source, err := Open(ctx, dir, warn)
		if err != nil {
			return nil, err
		}
		return source(ctx)
	}
}

// Open reads a bundle or a plain directory as bundle.Open does, and every file
// in it. What it returns beside is the source of what was read then, whatever
// has become of the files since.
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

// newWant adds to a tree what every image has.
func newWant(t *tree.Tree, created int64, sum func(*tree.Inode) sparse.Sum) *Want {
	w := &Want{tree: t, sum: sum}
	if t.Root.Lookup(ext4.LostFound) == nil {
		lostFound := ext4.NewLostFound(created)
		lostFound.Nlink = 0 // in this tree it has no name yet
		t.Root.Put(ext4.LostFound, lostFound, nil)
		w.lostFound = true
	}
	return w
}

// Manifest returns the digest of the manifest that banger-flatten writes of the
// tree. Nothing can be compared with it after that.
func (w *Want) Manifest() digest.Digest {
	if w.lostFound {
		w.tree.Root.Remove(ext4.LostFound, nil)
		w.lostFound = false
	}
	d := digest.SHA256.Digester()
	mtree.Write(d.Hash(), w.tree) // into a hash, which takes everything
	return d.Digest()
}

// sums are the digests of contents, by inode.
type sums struct {
	mu sync.Mutex
	of map[*tree.Inode]sparse.Sum
}

// measure digests a file of the host.
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

// get returns what was set; of a file without content, the digest of nothing.
func (s *sums) get(n *tree.Inode) sparse.Sum { return s.of[n] }
