// SPDX-License-Identifier: Apache-2.0

// Package saved brings images that are not in a registry into the cache: from OCI
// image layouts, from archives of such layouts, and from the archives of docker
// save and podman save.
//
// An archive is read once, from start to end, and may be a pipe. Its content says
// what it is: with oci-layout and index.json it is an archive of a layout, as
// docker save writes since Docker 25, with manifest.json beside them; with
// manifest.json alone it is an older archive. Its files wait in the temporary
// directory of the cache, under their digests, until the index is known. Only the
// blobs of the chosen image are moved into the cache. The rest is removed.
//
// An archive is untrusted. A name in it is compared with other names and never
// becomes a path. A file that is named after a digest must have that digest. A link
// leads only to another file of the archive.
//
// The blobs of a layout are copied, although banger-flatten could read them in
// place. The owner of a layout may change or remove it at any time, but a line that
// banger-fetch prints names an image that stays; and a published image can be
// verified later, when only the cache still has its layers.
package saved

import (
	"context"
	"io"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
)

// A Source holds what Pull needs besides a reference.
type Source struct {
	Platform v1.Platform
	Stdin    io.Reader    // for the reference "-"
	Warn     func(string) // is called for a name that cannot be kept
}

// Pull brings the image that a reference names into a layout and returns its
// reference there. The forms of a reference are
//
//	oci:DIR[:NAME|@DIGEST]
//	oci-archive:FILE[:NAME|@DIGEST]
//	docker-archive:FILE[:NAME|@DIGEST]
//	-
//
// where oci-archive and docker-archive are the same. Pull calls progress with the
// number of bytes to read, if it is known, then with the number of bytes read.
func (s *Source) Pull(ctx context.Context, to *layout.Writer, reference string, progress func(total, done int64)) (layout.Ref, error) {
	at, err := parse(reference)
	if err != nil {
		return layout.Ref{}, err
	}
	p := &pull{s, at, to, progress}
	from, bring, err := p.open(ctx)
	if err != nil {
		return layout.Ref{}, err
	}
	image, name, err := p.choose(ctx, from)
	if err != nil {
		return layout.Ref{}, err
	}
	defer image.Close()
	if err := p.keep(ctx, from, image, bring); err != nil {
		return layout.Ref{}, err
	}
	desc := image.Manifest
	if c := image.Config.Platform; desc.Platform == nil && c.OS != "" && c.Architecture != "" {
		desc.Platform = &c
	}
	if err := to.Tag(ctx, name, desc, ""); err != nil {
		return layout.Ref{}, err
	}
	if name == "" {
		name = at.local("")
	}
	return layout.Ref{Dir: to.Dir(), Name: name, Digest: desc.Digest}, nil
}

// A pull brings one image into a layout.
type pull struct {
	*Source
	at       location
	to       *layout.Writer
	progress func(total, done int64)
}

// A bringer brings one blob into the cache.
type bringer func(context.Context, v1.Descriptor) error

// open opens the layout, or reads the archive into a layout that is pending.
func (p *pull) open(ctx context.Context) (*layout.Layout, bringer, error) {
	if p.at.isLayout {
		from, err := layout.Open(p.at.path)
		return from, func(ctx context.Context, d v1.Descriptor) error {
			return p.to.CopyBlob(ctx, from, d, func(n int64) { p.progress(0, n) })
		}, err
	}
	pending, err := p.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	return pending.Layout, func(_ context.Context, d v1.Descriptor) error { return pending.Keep(d) }, nil
}

// keep brings the blobs of an image into the cache, its manifest last. All of their
// digests are known, and all of the blobs are there, before the cache is looked at.
func (p *pull) keep(ctx context.Context, from *layout.Layout, image *layout.Image, bring bringer) error {
	needed, err := blobs(from, image)
	if err != nil {
		return err
	}
	var missing []v1.Descriptor
	for _, d := range needed {
		if err := from.CheckBlob(d); err != nil {
			return err
		}
	}
	if err := p.to.Lease(ctx, needed...); err != nil {
		return err
	}
	for _, d := range needed {
		if !p.to.Has(ctx, d) {
			missing = append(missing, d)
		}
	}
	if p.at.isLayout {
		if err := p.to.CheckSpace(missing); err != nil {
			return err
		}
		for _, d := range missing {
			p.progress(d.Size, 0)
		}
	}
	for _, d := range missing {
		if err := bring(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// blobs returns each blob of an image once: layers, config, manifest.
func blobs(from *layout.Layout, image *layout.Image) (all []v1.Descriptor, err error) {
	manifest, err := from.Manifest(image.Manifest)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, d := range append(manifest.Layers, manifest.Config, image.Manifest) {
		if !seen[string(d.Digest)] {
			seen[string(d.Digest)] = true
			all = append(all, d)
		}
	}
	return all, nil
}
