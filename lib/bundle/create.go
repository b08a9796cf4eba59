// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/mtree"
	"banger/lib/replay"
	"banger/lib/stage"
	"banger/lib/status"
	"banger/lib/tree"
)

// Options say how an image becomes a bundle.
type Options struct {
	replay.Options
	Reference string // what the record calls the image
	Layout    string // the directory the image is read from
	Replace   bool   // whatever bundle is there
}

// Create makes the bundle dst of an image, whole or not at all.
func Create(ctx context.Context, dst string, image *layout.Image, o Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = isWhole
	}
	s, err := stage.NewDir(dst, so)
	if err != nil {
		return err
	}
	defer s.Discard()
	if within(o.Layout, dst) {
		return status.Errorf(status.Usage, "%s: the image lies in what it is to replace", dst)
	}
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
	t, err := replay.Image(ctx, w.image, contents, w.Options.Options)
	if err != nil {
		return err
	}
	root, err := makeDir(w.path(TreeDir))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := Place(ctx, t, contents, root); err != nil {
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

// describe writes the manifest, the config and the record.
func (w *workbench) describe(t *tree.Tree) error {
	manifest := func(f io.Writer) error { return mtree.Write(mtree.Limited(f), t) }
	if err := writeNew(w.path(ManifestFile), manifest); err != nil {
		return err
	}
	config := func(f io.Writer) error { _, err := f.Write(w.image.RawConfig); return err }
	if err := writeNew(w.path(ConfigFile), config); err != nil {
		return err
	}
	return WriteJSON(w.path(RecordFile), w.record(t))
}

// record says what image it is and how much there is of it.
func (w *workbench) record(t *tree.Tree) *Record {
	r := &Record{
		Version: 1, Reference: w.Reference, Digest: w.image.Manifest.Digest,
		Platform: w.image.Platform(),
	}
	if at, said := replay.Created(w.image.Config); said {
		var clamped tree.Inode
		clamped.SetTime(at.Unix(), uint32(at.Nanosecond()))
		r.Created = time.Unix(clamped.Sec, int64(clamped.Nsec)).UTC()
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
