// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"banger/lib/decompress"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// parallel is how many layers are read at a time at most: each may ask for a
// window of 128 MiB.
const parallel = 4

// replay reads the layers, as many at a time as there are processors, and
// applies them to a tree, oldest first.
func (w *workbench) replay(ctx context.Context, contents *layer.Contents) (*tree.Tree, error) {
	for _, l := range w.image.Layers {
		w.Progress(l.Size, 0)
	}
	r := &layer.Reader{Contents: contents, MaxSize: w.MaxSize, MaxEntries: w.MaxEntries, Warn: w.Warn}
	layers := make([]*layer.Layer, len(w.image.Layers))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), parallel))
	for i, l := range w.image.Layers {
		group.Go(func() (err error) {
			layers[i], err = w.readLayer(groupCtx, r, l)
			return err
		})
	}
	err := group.Wait()
	if e := contents.Wait(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	root := tree.Inode{Mode: 0o755}
	if at, _ := created(w.image.Config); !root.SetTime(at.Unix(), uint32(at.Nanosecond())) {
		w.Warn(fmt.Sprintf("config: created %v is out of ext4's range: clamped", at.UTC()))
	}
	t := tree.New(root)
	for i, l := range layers {
		if err := l.Apply(t, w.Explain); err != nil {
			return nil, err
		}
		layers[i] = nil // most of its names are the tree's now
	}
	return t, nil
}

// created is when the image says it was made; the epoch if it does not, or
// says the zero time, by which Go programs mean that.
func created(config v1.Image) (at time.Time, said bool) {
	if config.Created == nil || config.Created.IsZero() {
		return time.Unix(0, 0), false
	}
	return *config.Created, true
}

// readLayer reads one layer through the checks of its digest, its size and its
// DiffID.
func (w *workbench) readLayer(ctx context.Context, r *layer.Reader, l layout.Layer) (*layer.Layer, error) {
	id := l.Digest.Encoded()[:12]
	blob, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	in := sparse.Interruptible(ctx, &metered{blob, w.Progress})
	archive, err := decompress.OCI.Reader(in)
	if err != nil {
		return nil, layerError(id, err)
	}
	defer archive.Close()
	// As long as it takes: a DiffID says nothing of the size.
	diff := l.DiffID.Verifier()
	unpacked := io.TeeReader(archive, diff)
	read, err := r.Read(ctx, id, unpacked)
	if err != nil {
		return nil, err
	}
	// The digest has been checked only once the blob has been read out.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, layerError(id, err)
	}
	if !diff.Verified() {
		return nil, status.Errorf(status.Bad, "layer %s: its content does not match its DiffID %s", id, l.DiffID)
	}
	return read, nil
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
