// SPDX-License-Identifier: Apache-2.0

// Package replay makes a tree of an image in a layout: all its layers read,
// verified, and applied one over the other.
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

// MaxEntries is how many entries an image may have unless told otherwise: each
// takes half a KiB of memory.
const MaxEntries = 2_000_000

// Options say how an image is replayed.
type Options struct {
	MaxSize    int64 // bytes that its files together may have
	MaxEntries int64 // entries that its layers together may have
	Explain    func(layer.Event)
	Warn       func(text string)
	Progress   func(total, done int64) // bytes of compressed layers
}

// Contents take in what the files of an image hold.
type Contents interface {
	layer.Keeper
	Wait() error // until all is taken in
}

// parallel is how many layers are read at a time at most: each may ask for a
// window of 128 MiB.
const parallel = 4

// Image reads the layers of an image, as many at a time as there are
// processors, and applies them to a tree, oldest first.
func Image(ctx context.Context, image *layout.Image, contents Contents, o Options) (*tree.Tree, error) {
	layers, err := o.read(ctx, image, contents)
	if err != nil {
		return nil, err
	}
	root := tree.Inode{Mode: 0o755}
	if at, _ := Created(image.Config); !root.SetTime(at.Unix(), uint32(at.Nanosecond())) {
		o.Warn(fmt.Sprintf("config: created %v is out of ext4's range: clamped", at.UTC()))
	}
	t := tree.New(root)
	for i, l := range layers {
		if err := l.Apply(ctx, t, o.Explain); err != nil {
			return nil, err
		}
		layers[i] = nil // most of its names are the tree's now
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
	group.SetLimit(min(runtime.GOMAXPROCS(0), parallel))
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

// Created is when the image says it was made; the epoch if it does not, or says
// the zero time, by which Go programs mean that.
func Created(config v1.Image) (at time.Time, said bool) {
	if config.Created == nil || config.Created.IsZero() {
		return time.Unix(0, 0), false
	}
	return *config.Created, true
}

// readLayer reads one layer through the checks of its digest, its size and its
// DiffID.
func (o *Options) readLayer(ctx context.Context, r *layer.Reader, l layout.Layer) (*layer.Layer, error) {
	id := l.Digest.Encoded()[:12]
	blob, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	// Read and digested ahead of being inflated, on another processor.
	in, err := readahead.NewReaderSize(sparse.Interruptible(ctx, &metered{blob, o.Progress}), 4, 256<<10)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	read, err := readArchive(ctx, r, l, id, in)
	if err != nil && status.Of(err) != status.Bad {
		return nil, err
	}
	// The blob has been checked only once it has been read out. If it is not what
	// was pushed, then it is to blame for whatever was found in it.
	if _, damage := io.Copy(io.Discard, struct{ io.Reader }{in}); damage != nil {
		err = layerError(id, damage)
		if status.Of(err) == status.Bad {
			err = status.Hint(err, "its blob is damaged on disk: fetch or copy the image anew")
		}
	}
	return read, err
}

// readArchive reads what is in a blob.
func readArchive(ctx context.Context, r *layer.Reader, l layout.Layer, id string, in io.Reader) (*layer.Layer, error) {
	archive, err := decompress.OCI.Reader(in)
	if err != nil {
		return nil, layerError(id, err)
	}
	defer archive.Close()
	// As long as it takes: a DiffID says nothing of the size.
	diff := l.DiffID.Verifier()
	read, err := r.Read(ctx, id, io.TeeReader(archive, diff))
	if err == nil && !diff.Verified() {
		err = status.Errorf(status.Bad, "layer %s: its content does not match its DiffID %s", id, l.DiffID)
	}
	return read, err
}

func layerError(id string, err error) error {
	return layer.Fault(fmt.Errorf("layer %s: %w", id, err))
}

// metered is a reader that counts.
type metered struct {
	r        io.Reader
	progress func(total, done int64)
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.progress(0, int64(n))
	return n, err
}
