// SPDX-License-Identifier: Apache-2.0

// Package registry pulls images from OCI registries into a layout. It is the
// only package that uses the network.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// A Source holds the platform, the transport and the credentials for pulls.
type Source struct {
	Platform  v1.Platform
	Transport http.RoundTripper
	Keychain  authn.Keychain
}

// NewSource returns a source with the credentials of docker login and podman
// login, whose files getenv locates. It gives up on a server that sends nothing
// for the duration silence.
func NewSource(getenv func(string) string, silence time.Duration) Source {
	return Source{Transport: NewTransport(silence), Keychain: keychain{getenv}}
}

// CheckPinned returns an error for what is no reference by digest.
func CheckPinned(reference string) error {
	_, err := name.NewDigest(reference)
	return err
}

// parallel is how many layers of one image are fetched at a time.
const parallel = 4

// tries is how often a blob is asked for when the connection breaks.
const tries = 3

// A pull pulls one image into a layout.
type pull struct {
	*Source
	ref      name.Reference
	to       *layout.Writer
	progress func(total, done int64)
	options  []remote.Option
}

// Pull pulls the image with a reference into a layout and returns its reference
// there. Blobs that the layout has are checked and not fetched; an image pulled
// by digest whose blobs all exist needs no network. Pull calls progress with the
// number of bytes to fetch, then with the number of bytes as they arrive.
func (s *Source) Pull(ctx context.Context, to *layout.Writer, reference string, progress func(total, done int64)) (layout.Ref, error) {
	if err := layout.CheckReference(reference); err != nil {
		return layout.Ref{}, err
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return layout.Ref{}, status.Errorf(status.Usage, "%w", err)
	}
	p := &pull{Source: s, ref: ref, to: to, progress: progress}
	p.options = []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(limited{s.Transport}), remote.WithAuthFromKeychain(s.Keychain),
		remote.WithRetryBackoff(remote.Backoff{Duration: time.Second / 2, Factor: 3, Jitter: 0.1, Steps: tries}),
	}
	image, err := p.cached(ctx)
	if err != nil {
		image, err = p.fetch(ctx)
	}
	if err != nil {
		return layout.Ref{}, err
	}
	tag, called := p.refName()
	desc := image.Manifest
	if c := image.Config.Platform; desc.Platform == nil && c.OS != "" && c.Architecture != "" {
		desc.Platform = &c
	}
	if err := to.Tag(tag, desc); err != nil {
		return layout.Ref{}, err
	}
	return layout.Ref{Dir: to.Dir(), Name: called, Digest: desc.Digest}, nil
}

// refName returns the name of the image in the layout's index, "" for one
// fetched by digest, and what the printed line calls it.
func (p *pull) refName() (tag, called string) {
	called = p.ref.Name()
	if rest, hub := strings.CutPrefix(called, name.DefaultRegistry+"/"); hub {
		called = "docker.io/" + rest
	}
	if _, by := p.ref.(name.Digest); by {
		called, _, _ = strings.Cut(called, "@")
		return "", called
	}
	return called, called
}

// cached returns the image from the layout alone, if it was asked for by a
// digest and all of it is there.
func (p *pull) cached(ctx context.Context) (*layout.Image, error) {
	by, ok := p.ref.(name.Digest)
	if !ok {
		return nil, errors.New("a tag may have moved")
	}
	desc, err := p.to.Describe(digest.Digest(by.DigestStr()))
	if err != nil {
		return nil, err
	}
	want := p.want(desc)
	if desc, err = p.to.Select(desc, want); err != nil {
		return nil, err
	}
	image, err := p.to.Read(desc, want)
	if err != nil {
		return nil, err
	}
	for _, l := range image.Layers {
		if !p.to.Has(ctx, l.Descriptor) {
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

// fetch asks the registry: for the manifest of the platform, for its config,
// then for its layers.
func (p *pull) fetch(ctx context.Context) (*layout.Image, error) {
	top, err := p.manifest(p.ref)
	if err != nil {
		return nil, err
	}
	desc, err := p.resolve(top)
	if err != nil {
		return nil, err
	}
	manifest, err := p.to.Manifest(desc)
	if err != nil {
		return nil, err
	}
	if err := p.blob(ctx, manifest.Config); err != nil {
		return nil, err
	}
	image, err := p.to.Read(desc, p.want(top))
	if err != nil {
		return nil, err
	}
	return image, p.layers(ctx, image.Layers)
}

// resolve fetches the manifest of the platform, and the indexes on the way.
func (p *pull) resolve(top v1.Descriptor) (v1.Descriptor, error) {
	if !layout.IsIndex(top.MediaType) {
		return top, nil
	}
	if err := p.nested(top, map[digest.Digest]bool{}); err != nil {
		return top, err
	}
	chosen, err := p.to.Select(top, p.Platform)
	if err != nil {
		return top, err
	}
	desc, err := p.child(chosen)
	desc.Platform = chosen.Platform // which may say more than its config
	return desc, err
}

// maxIndexes bounds how many indexes may lead to one image.
const maxIndexes = 64

// nested fetches the indexes in an index, and those in them.
func (p *pull) nested(index v1.Descriptor, seen map[digest.Digest]bool) error {
	if seen[index.Digest] = true; len(seen) > maxIndexes {
		return status.Errorf(status.Bad, "too many indexes (limit %d)", maxIndexes)
	}
	children, err := p.to.Children(index)
	if err != nil {
		return err
	}
	for _, d := range children {
		if layout.IsIndex(d.MediaType) && !seen[d.Digest] {
			if _, err := p.child(d); err != nil {
				return err
			}
			if err := p.nested(d, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// child fetches a manifest or index that an index lists.
func (p *pull) child(d v1.Descriptor) (v1.Descriptor, error) {
	if err := layout.CheckDocument(d); err != nil {
		return v1.Descriptor{}, err
	}
	got, err := p.manifest(p.ref.Context().Digest(string(d.Digest)))
	if err != nil {
		err = fmt.Errorf("%s: %w", d.Digest, err)
	}
	return got, err
}

// manifest fetches a manifest or index and keeps it.
func (p *pull) manifest(ref name.Reference) (v1.Descriptor, error) {
	got, err := remote.Get(ref, p.options...)
	if err != nil {
		return v1.Descriptor{}, p.explain(err)
	}
	d := v1.Descriptor{
		MediaType: string(got.MediaType),
		Digest:    digest.Digest(got.Digest.String()),
		Size:      int64(len(got.Manifest)),
	}
	return d, p.to.PutBlob(d, bytes.NewReader(got.Manifest))
}
