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

// Options control how a bundle is made.
type Options struct {
	replay.Options
	Reference string // of the image, for the record
	Layout    string // directory the image is read from
	Replace   bool   // replace an existing bundle

	// RecordLayout writes the absolute path of Layout to the record, for
	// programs that read the layers again.
	RecordLayout bool
}

// Create makes the bundle dst of an image. dst is complete or does not exist.
func Create(ctx context.Context, dst string, image *layout.Image, o Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = isComplete
	}
	s, err := stage.NewDir(dst, so)
	if err != nil {
		return err
	}
	defer s.Discard()
	if within(o.Layout, dst) {
		return status.Errorf(status.Usage, "%s: contains the layout of the image", dst)
	}
	b := builder{dir: s.Path, image: image, Options: o}
	if o.RecordLayout {
		if b.Layout, err = realPath(o.Layout); err != nil {
			return err
		}
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	return s.Commit()
}

// A builder makes a bundle in dir.
type builder struct {
	Options
	dir   string
	image *layout.Image
}

func (b *builder) path(name string) string { return filepath.Join(b.dir, name) }

// build replays the layers and writes the tree and the documents.
func (b *builder) build(ctx context.Context) error {
	const contentsDir = "contents"
	private, err := makeDir(b.path(contentsDir))
	if err != nil {
		return err
	}
	defer private.Close()
	contents := layer.NewContents(ctx, private)
	t, err := replay.Image(ctx, b.image, contents, b.Options.Options)
	if err != nil {
		return err
	}
	root, err := makeDir(b.path(TreeDir))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := Place(ctx, t, contents, root); err != nil {
		return err
	}
	if err := os.RemoveAll(b.path(contentsDir)); err != nil {
		return err
	}
	return b.writeDocuments(t)
}

// makeDir creates a directory and opens it.
func makeDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// writeDocuments writes the manifest, the config and the record.
func (b *builder) writeDocuments(t *tree.Tree) error {
	manifest := func(f io.Writer) error { return mtree.Write(mtree.Limited(f), t) }
	if err := writeNew(b.path(ManifestFile), manifest); err != nil {
		return err
	}
	config := func(f io.Writer) error { _, err := f.Write(b.image.RawConfig); return err }
	if err := writeNew(b.path(ConfigFile), config); err != nil {
		return err
	}
	return WriteJSON(b.path(RecordFile), b.record(t))
}

// record returns the record of the image, with the counts of its tree.
func (b *builder) record(t *tree.Tree) *Record {
	r := &Record{
		Version: 1, Reference: b.Reference, Digest: b.image.Manifest.Digest,
		Platform: b.image.Platform(),
	}
	if at, ok := replay.Created(b.image.Config); ok {
		var clamped tree.Inode
		clamped.SetTime(at.Unix(), uint32(at.Nanosecond()))
		r.Created = time.Unix(clamped.Sec, int64(clamped.Nsec)).UTC()
	}
	for _, l := range b.image.Layers {
		r.Layers = append(r.Layers, l.Digest)
	}
	if b.RecordLayout {
		r.Layout = HostPath(b.Layout)
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
