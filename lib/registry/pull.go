// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// A pull pulls one image into a layout.
type pull struct {
	*Source
	ref      name.Reference
	to       *layout.Writer
	cache    *layout.Writer // where the image may be; to, or another one, or nil
	progress func(total, done int64)
	clients  []*client // nil until one is asked

	mu      sync.Mutex
	failing time.Time // when the first request failed that was repeated, since the last bytes
	warned  bool
}

func (s *Source) newPull(reference string) (*pull, error) {
	if err := layout.CheckReference(reference); err != nil {
		return nil, err
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, status.Errorf(status.Usage, "%w", err)
	}
	if err := checkVerifiers(s.Verifier); err != nil {
		return nil, err
	}
	return &pull{Source: s, ref: ref, progress: func(int64, int64) {}}, nil
}

// Pull pulls the image with a reference into a layout and returns its reference
// there. Blobs that the layout has are not fetched, as Writer.Has tells. An image
// named by digest whose blobs all exist needs no network, and a tag that has not moved
// one request. Pull calls progress with the number of bytes to fetch, then with the
// number of bytes as they arrive.
func (s *Source) Pull(ctx context.Context, to *layout.Writer, reference string, progress func(total, done int64)) (layout.Ref, error) {
	p, err := s.newPull(reference)
	if err != nil {
		return layout.Ref{}, err
	}
	p.to, p.cache, p.progress = to, to, progress
	image, through, err := p.image(ctx)
	if err != nil {
		return layout.Ref{}, err
	}
	defer image.Close()
	tag, called := p.refName()
	desc := image.Manifest
	if c := image.Config.Platform; desc.Platform == nil && c.OS != "" && c.Architecture != "" {
		desc.Platform = &c
	}
	if err := to.Tag(ctx, tag, desc, through); err != nil {
		return layout.Ref{}, err
	}
	return layout.Ref{Dir: to.Dir(), Name: called, Digest: desc.Digest}, nil
}

// image returns the image, and the digest that the reference names, which may be
// that of an index.
func (p *pull) image(ctx context.Context) (*layout.Image, digest.Digest, error) {
	image, top, err := p.find(ctx)
	if err != nil {
		return nil, "", err
	}
	if image == nil {
		image, err = p.fetch(ctx, top)
	}
	return image, top.Digest, err
}

// find returns the document that the reference names, after the verifiers have
// accepted it, and the image if all of it is cached.
func (p *pull) find(ctx context.Context) (*layout.Image, document, error) {
	image, top, err := p.offline(ctx)
	if err != nil {
		return nil, top, err
	}
	if image == nil && top.raw == nil {
		top, err = p.getDigest(ctx, top.Digest)
	}
	if err == nil {
		err = p.verify(ctx, top.Descriptor)
	}
	if err != nil {
		image.Close()
		return nil, top, err
	}
	return image, top, nil
}

// offline returns the image if all of it is cached. It asks only which digest a tag has.
func (p *pull) offline(ctx context.Context) (*layout.Image, document, error) {
	var top document
	by, pinned := p.ref.(name.Digest)
	if pinned {
		top.Digest = digest.Digest(by.DigestStr())
		image, err := p.cached(ctx, &top)
		if image != nil || ctx.Err() != nil {
			return image, top, err
		}
	}
	if p.Offline {
		if pinned || !p.tagged(&top) {
			return nil, top, p.notCached()
		}
		image, err := p.cached(ctx, &top)
		if image == nil && ctx.Err() == nil {
			err = p.notCached()
		}
		return image, top, err
	}
	var err error
	if p.clients, err = p.clientsOf(p.ref.Context().Registry); err != nil || pinned {
		return nil, top, err
	}
	if top, err = p.resolve(ctx, p.ref.Identifier()); err != nil {
		return nil, top, err
	}
	image, err := p.cached(ctx, &top)
	if ctx.Err() == nil {
		err = nil // what is damaged or missing is fetched
	}
	return image, top, err
}

// tagged sets the digest that the layout's index has for the tag, and reports whether
// there is one.
func (p *pull) tagged(top *document) bool {
	if p.cache == nil {
		return false
	}
	tag, _ := p.refName()
	entries, err := p.cache.Entries()
	if err != nil {
		return false
	}
	for _, e := range entries {
		if layout.Name(e) == tag {
			if top.Digest = layout.Through(e); top.Digest == "" {
				top.Digest = e.Digest
			}
			return true
		}
	}
	return false
}

func (p *pull) notCached() error {
	return status.Hint(status.Errorf(status.NoInput, "not in the cache, or not complete for %s, and --offline is set", layout.PlatformString(p.Platform)),
		"run it without --offline")
}

// refName returns the name of the image in the layout's index, "" for one
// fetched by digest, and what the printed line calls it.
func (p *pull) refName() (tag, called string) {
	called = completed(p.ref)
	if _, by := p.ref.(name.Digest); by {
		called, _, _ = strings.Cut(called, "@")
		return "", called
	}
	return called, called
}

// cached returns the image that a digest names from the layout alone, if all of it
// is there, and locks it. It completes the descriptor.
func (p *pull) cached(ctx context.Context, top *document) (*layout.Image, error) {
	if p.cache == nil {
		return nil, nil
	}
	named, err := p.cache.Describe(top.Digest)
	if err != nil {
		return nil, err
	}
	top.Descriptor = named
	want := p.want(named)
	desc, err := p.cache.Select(named, want)
	if err != nil {
		return nil, err
	}
	image, err := p.cache.Held(ctx, desc, want)
	if err != nil {
		return nil, err
	}
	for _, l := range image.Layers {
		if !p.cache.Has(ctx, l.Descriptor) {
			image.Close()
			return nil, errors.New("a layer is missing")
		}
	}
	return image, nil
}

// want returns the platform to choose, given what the reference names. The
// digest of an image's own manifest leaves no choice.
func (p *pull) want(named v1.Descriptor) v1.Platform {
	if _, by := p.ref.(name.Digest); by && !layout.IsIndex(named.MediaType) {
		return v1.Platform{}
	}
	return p.Platform
}

// fetch asks the registry: for the manifest of the platform, then for its config and
// its layers. The error of the config counts, even if the layers failed before.
func (p *pull) fetch(ctx context.Context, top document) (*layout.Image, error) {
	desc, manifest, err := p.manifest(ctx, top)
	if err != nil {
		return nil, err
	}
	beside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	layers := make(chan error, 1)
	go func() { layers <- p.blobs(beside, manifest.Layers) }()
	image, err := p.config(ctx, top, desc, manifest)
	if err != nil {
		cancel(err)
	}
	if failed := <-layers; err == nil {
		err = failed
	}
	return image, err
}

// describe fetches the documents of an image.
func (p *pull) describe(ctx context.Context, top document) (*layout.Image, error) {
	desc, manifest, err := p.manifest(ctx, top)
	if err != nil {
		return nil, err
	}
	return p.config(ctx, top, desc, manifest)
}

// manifest fetches the manifest of the platform, and leases what it names.
func (p *pull) manifest(ctx context.Context, top document) (desc v1.Descriptor, m *v1.Manifest, err error) {
	if err = p.keep(ctx, top); err != nil {
		return desc, nil, err
	}
	if desc, err = p.platform(ctx, top.Descriptor); err != nil {
		return desc, nil, err
	}
	if m, err = p.to.Manifest(desc); err != nil {
		return desc, nil, err
	}
	if err = layout.CheckLayers(m); err != nil {
		return desc, nil, err
	}
	return desc, m, p.to.Lease(ctx, append(m.Layers, m.Config)...)
}

// config fetches the config of a manifest, and returns the image if that suits it.
func (p *pull) config(ctx context.Context, top document, desc v1.Descriptor, m *v1.Manifest) (*layout.Image, error) {
	if err := p.blobs(ctx, []v1.Descriptor{m.Config}); err != nil {
		return nil, err
	}
	image, err := p.to.Read(desc, p.want(top.Descriptor))
	if code := status.Of(err); err != nil && (code == status.Bad || code == status.NoInput) {
		err = &unsuitable{err}
	}
	return image, err
}

// An unsuitable image is refused because of its config. Its layers are of no use.
type unsuitable struct{ error }

func (e *unsuitable) Unwrap() error { return e.error }

// platform fetches the manifest of the platform, and the indexes on the way.
func (p *pull) platform(ctx context.Context, top v1.Descriptor) (v1.Descriptor, error) {
	if !layout.IsIndex(top.MediaType) {
		return top, nil
	}
	if err := p.nested(ctx, top, map[digest.Digest]bool{}); err != nil {
		return top, err
	}
	chosen, err := p.to.Select(top, p.Platform)
	if err != nil {
		return top, err
	}
	desc, err := p.child(ctx, chosen)
	desc.Platform = chosen.Platform // which may say more than its config
	return desc, err
}

// maxIndexes bounds how many indexes may lead to one image.
const maxIndexes = 64

// nested fetches the indexes in an index, and those in them.
func (p *pull) nested(ctx context.Context, index v1.Descriptor, seen map[digest.Digest]bool) error {
	if seen[index.Digest] = true; len(seen) > maxIndexes {
		return status.Errorf(status.Bad, "too many indexes (limit %d)", maxIndexes)
	}
	children, err := p.to.Children(index)
	if err != nil {
		return err
	}
	for _, d := range children {
		if layout.IsIndex(d.MediaType) && !seen[d.Digest] {
			if _, err := p.child(ctx, d); err != nil {
				return err
			}
			if err := p.nested(ctx, d, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// child fetches a manifest or index that an index lists.
func (p *pull) child(ctx context.Context, d v1.Descriptor) (v1.Descriptor, error) {
	if err := layout.CheckDocument(d); err != nil {
		return v1.Descriptor{}, err
	}
	if err := p.to.Lease(ctx, d); err != nil {
		return d, err
	}
	if known, err := p.to.Describe(d.Digest); err == nil {
		return known, nil
	}
	got, err := p.getDigest(ctx, d.Digest)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%s: %w", d.Digest, err)
	}
	return got.Descriptor, p.keep(ctx, got)
}

// keep leases a manifest or index and keeps it. One that is there is not replaced: who
// reads the image has locked that file.
func (p *pull) keep(ctx context.Context, d document) error {
	if err := p.to.Lease(ctx, d.Descriptor); err != nil {
		return err
	}
	if known, err := p.to.Describe(d.Digest); err == nil && known.Size == d.Size {
		return nil
	}
	return p.to.PutBlob(d.Descriptor, bytes.NewReader(d.raw))
}
