// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/mtree"
	"banger/lib/stage"
	"banger/lib/status"
	"banger/lib/tree"
)

// Options say how an image becomes a bundle.
type Options struct {
	Reference  string // what the record calls the image
	Replace    bool   // whatever bundle is there
	MaxSize    int64  // bytes that its files together may have
	MaxEntries int64  // entries that its layers together may have
	Explain    func(layer.Event)
	Warn       func(text string)
	Progress   func(total, done int64) // bytes of compressed layers
}

// Create makes the bundle dst of an image, whole or not at all.
func Create(ctx context.Context, dst string, image *layout.Image, o Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = Is
	}
	s, err := stage.NewDir(dst, so)
	if err != nil {
		return err
	}
	defer s.Discard()
	w := workbench{dir: s.Path, image: image, Options: o}
	if err := w.fill(ctx); err != nil {
		return err
	}
	return s.Commit()
}

// A workbench is a bundle being made.
type workbench struct {
	Options
	dir   string
	image *layout.Image
}

func (w *workbench) path(name string) string { return filepath.Join(w.dir, name) }

// fill replays the layers, lays out the tree and writes what describes it.
func (w *workbench) fill(ctx context.Context) error {
	const numbers = "contents"
	private, err := makeDir(w.path(numbers))
	if err != nil {
		return err
	}
	defer private.Close()
	contents := layer.NewContents(ctx, private)
	t, err := w.replay(ctx, contents)
	if err != nil {
		return err
	}
	root, err := makeDir(w.path(TreeDir))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := place(ctx, t, contents, root); err != nil {
		return err
	}
	if err := os.RemoveAll(w.path(numbers)); err != nil {
		return err
	}
	return w.describe(t)
}

// makeDir makes a directory and opens it.
func makeDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// replay reads the layers, as many at a time as there are processors, and
// applies them to a tree, oldest first.
func (w *workbench) replay(ctx context.Context, contents *layer.Contents) (*tree.Tree, error) {
	for _, l := range w.image.Layers {
		w.Progress(l.Size, 0)
	}
	r := &layer.Reader{Contents: contents, MaxSize: w.MaxSize, MaxEntries: w.MaxEntries, Warn: w.Warn}
	layers := make([]*layer.Layer, len(w.image.Layers))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
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
	root.SetTime(created(w.image.Config))
	t := tree.New(root)
	for _, l := range layers {
		if err := l.Apply(t, w.Explain); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// created is when the image says it was made; the epoch if it does not.
func created(config v1.Image) time.Time {
	if config.Created == nil {
		return time.Unix(0, 0)
	}
	return *config.Created
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
	in := io.Reader(&metered{ctx, blob, w.Progress})
	archive, err := layer.Decompress(in)
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
	// What follows the end of the archive counts: it belongs to the DiffID,
	// and the digest has been checked only once the blob has been read out.
	for _, rest := range []io.Reader{unpacked, in} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return nil, layerError(id, err)
		}
	}
	if !diff.Verified() {
		return nil, status.Errorf(status.Bad, "layer %s: its content does not match its DiffID %s", id, l.DiffID)
	}
	return read, nil
}

func layerError(id string, err error) error {
	return layer.Fault(fmt.Errorf("layer %s: %w", id, err))
}

// metered is a reader that counts, and that a context interrupts.
type metered struct {
	ctx      context.Context
	r        io.Reader
	progress func(total, done int64)
}

func (m *metered) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.progress(0, int64(n))
	return n, err
}

// describe writes the manifest, the config and the record.
func (w *workbench) describe(t *tree.Tree) error {
	var manifest bytes.Buffer
	if err := mtree.Write(&manifest, t); err != nil {
		return err
	}
	err := errors.Join(
		writeNew(w.path(ManifestFile), manifest.Bytes()),
		writeNew(w.path(ConfigFile), w.image.RawConfig),
	)
	if err != nil {
		return err
	}
	return WriteJSON(w.path(RecordFile), w.record(t))
}

// record says what image it is and how much there is of it.
func (w *workbench) record(t *tree.Tree) *Record {
	r := &Record{
		Version: 1, Reference: w.Reference, Digest: w.image.Manifest.Digest,
		Platform: w.image.Platform(), Created: created(w.image.Config).UTC(),
	}
	if w.image.Config.Created == nil {
		r.Created = time.Time{}
	}
	for _, l := range w.image.Layers {
		r.Layers = append(r.Layers, l.Digest)
	}
	counted := map[*tree.Inode]bool{}
	t.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		r.Entries++
		if n.Type == tree.File && !counted[n] {
			counted[n] = n.Nlink > 1
			r.ContentBytes += n.Size
			r.Blocks += n.Blocks
		}
		return nil
	})
	return r
}
