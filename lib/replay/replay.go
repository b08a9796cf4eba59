// SPDX-License-Identifier: Apache-2.0

// Package replay builds the tree of an image in a layout: it reads and verifies
// the layers and applies them in order.
package replay

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/readahead"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"banger/lib/decompress"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// MaxEntries is the default limit on the entries of an image. Each takes half a
// KiB of memory.
const MaxEntries = 2_000_000

// Options control how an image is replayed.
type Options struct {
	MaxSize    int64 // limit on the bytes of all files
	MaxEntries int64 // limit on the entries of all layers
	Explain    func(layer.Event)
	Warn       func(text string)
	Progress   func(total, done int64) // compressed bytes, as increments
}

// Contents stores the file contents of an image.
type Contents interface {
	layer.Keeper
	Wait() error // waits until all contents are stored
}

// maxParallel limits the layers read at a time. Each may need a decompression
// window of 128 MiB.
const maxParallel = 4

// Image reads the layers of an image in parallel and applies them to a tree,
// oldest first.
func Image(ctx context.Context, image *layout.Image, contents Contents, o Options) (*tree.Tree, error) {
	layers, err := o.read(ctx, image, contents)
	if err != nil {
		return nil, err
	}
	root := tree.Inode{Mode: 0o755}
	if at, _ := Created(image.Config); !root.SetTime(at.Unix(), uint32(at.Nanosecond())) {
		o.Warn(fmt.Sprintf("config: created %v out of range of ext4: clamped", at.UTC()))
	}
	t := tree.New(root)
	for i, l := range layers {
		if err := l.Apply(ctx, t, o.Explain); err != nil {
			return nil, err
		}
		layers[i] = nil // free the names that the tree does not use
	}
	return t, nil
}

// read reads all layers.
func (o *Options) read(ctx context.Context, image *layout.Image, contents Contents) ([]*layer.Layer, error) {
	for _, l := range image.Layers {
		o.Progress(l.Size, 0)
	}
	r := &layer.Reader{Contents: contents, MaxSize: o.MaxSize, MaxEntries: o.MaxEntries, Warn: o.Warn}
	layers := make([]*layer.Layer, len(image.Layers))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), maxParallel))
	for i, l := range image.Layers {
		group.Go(func() (err error) {
			layers[i], err = o.readLayer(groupCtx, r, l)
			return err
		})
	}
	err := group.Wait()
	if e := contents.Wait(); err == nil {
		err = e
	}
	return layers, err
}

// Created returns the creation time of the image and whether the config has one.
// Without one it returns the epoch. Go programs write the zero time for none.
func Created(config v1.Image) (at time.Time, ok bool) {
	if config.Created == nil || config.Created.IsZero() {
		return time.Unix(0, 0), false
	}
	return *config.Created, true
}

// readLayer reads one layer and checks its digest, size and DiffID.
func (o *Options) readLayer(ctx context.Context, r *layer.Reader, l layout.Layer) (*layer.Layer, error) {
	id := l.Digest.Encoded()[:12]
	blob, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	// Read and digest the blob on another processor, ahead of decompression.
	in, err := readahead.NewReaderSize(sparse.Interruptible(ctx, &metered{blob, o.Progress}), 4, 256<<10)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	read, err := readArchive(ctx, r, l, id, in)
	if err != nil && status.Of(err) != status.Bad {
		return nil, err
	}
	// The digest is checked only at the end of the blob. A wrong digest explains
	// any other error in the layer, so it replaces that error.
	if _, blobErr := io.Copy(io.Discard, struct{ io.Reader }{in}); blobErr != nil {
		err = layerError(id, blobErr)
		if status.Of(err) == status.Bad {
			err = status.Hint(err, "the blob is damaged on disk: fetch or copy the image again")
		}
	}
	return read, err
}

// readArchive reads the archive in a blob.
func readArchive(ctx context.Context, r *layer.Reader, l layout.Layer, id string, in io.Reader) (*layer.Layer, error) {
	archive, err := decompress.OCI.Reader(in)
	if err != nil {
		return nil, layerError(id, err)
	}
	defer archive.Close()
	// A DiffID does not limit the size; the Reader does.
	diff := l.DiffID.Verifier()
	read, err := r.Read(ctx, id, io.TeeReader(archive, diff))
	if err == nil && !diff.Verified() {
		err = status.Errorf(status.Bad, "layer %s: content does not match DiffID %s", id, l.DiffID)
	}
	return read, err
}

func layerError(id string, err error) error {
	return layer.DataError(fmt.Errorf("layer %s: %w", id, err))
}

// A metered reader reports progress.
type metered struct {
	r        io.Reader
	progress func(total, done int64)
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.progress(0, int64(n))
	return n, err
}
