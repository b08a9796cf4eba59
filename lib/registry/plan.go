// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
)

// A Plan says what Pull would do.
type Plan struct {
	Reference string        // as the index of the layout would have it
	Digest    digest.Digest // of the image's manifest
	Platform  v1.Platform
	Config    Step
	Layers    []Step // oldest first
}

// A Step is a blob of a Plan.
type Step struct {
	v1.Descriptor
	Cached bool
}

// Plan returns what Pull would do with a layout, which need not exist. It writes
// nothing to it.
func (s *Source) Plan(ctx context.Context, dir, reference string) (*Plan, error) {
	p, err := s.newPull(reference)
	if err != nil {
		return nil, err
	}
	if layout.Is(dir) {
		cache, err := layout.Open(dir)
		if err != nil {
			return nil, err
		}
		p.cache = cache.Writer(s.Warn)
		defer p.cache.Close()
	}
	scratch, err := os.MkdirTemp("", "banger-fetch-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	if p.to, err = layout.NewWriter(ctx, scratch, s.Warn); err != nil {
		return nil, err
	}
	defer p.to.Close()
	image, top, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	from := p.cache
	if image == nil {
		if image, err = p.describe(ctx, top); err != nil {
			return nil, err
		}
		from = p.to
	}
	return p.plan(ctx, from, image)
}

func (p *pull) plan(ctx context.Context, from *layout.Writer, image *layout.Image) (*Plan, error) {
	manifest, err := from.Manifest(image.Manifest)
	if err != nil {
		return nil, err
	}
	step := func(d v1.Descriptor) Step {
		return Step{d, p.cache != nil && p.cache.Has(ctx, d)}
	}
	plan := &Plan{Digest: image.Manifest.Digest, Platform: image.Config.Platform, Config: step(manifest.Config)}
	_, plan.Reference = p.refName()
	if image.Manifest.Platform != nil {
		plan.Platform = *image.Manifest.Platform
	}
	for _, l := range manifest.Layers {
		plan.Layers = append(plan.Layers, step(l))
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return plan, nil
}
