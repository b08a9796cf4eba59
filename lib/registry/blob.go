// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"banger/lib/layout"
	"banger/lib/status"
)

// layers fetches what layers are missing, several at a time.
func (p *pull) layers(ctx context.Context, layers []layout.Layer) error {
	var blobs []v1.Descriptor
	known := make(map[digest.Digest]bool)
	for _, l := range layers {
		if !known[l.Digest] {
			known[l.Digest] = true
			blobs = append(blobs, l.Descriptor)
		}
	}
	if err := p.to.CheckSpace(blobs); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range blobs {
		group.Go(func() error { return p.blob(ctx, d) })
	}
	return group.Wait()
}

// blob fetches a blob unless it is there.
func (p *pull) blob(ctx context.Context, d v1.Descriptor) error {
	if p.to.Has(ctx, d) {
		return nil
	}
	if err := p.to.CheckPlace(d.Digest); err != nil {
		return err
	}
	if d.Digest.Algorithm() != digest.SHA256 {
		return status.Errorf(status.Bad, "%s: unsupported digest algorithm, not sha256", d.Digest)
	}
	p.progress(d.Size, 0)
	var err error
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * time.Second / 2):
			}
		}
		if err = p.download(ctx, d); err == nil || status.Of(err) != status.Temporary {
			return err
		}
	}
	return err
}

// download asks for a blob once.
func (p *pull) download(ctx context.Context, d v1.Descriptor) error {
	options := append([]remote.Option{}, p.options...)
	l, err := remote.Layer(p.ref.Context().Digest(string(d.Digest)), append(options, remote.WithContext(ctx))...)
	if err != nil {
		return p.explain(err)
	}
	body, err := l.Compressed()
	if err != nil {
		return p.explain(err)
	}
	defer body.Close()
	arrived := &counted{r: body, progress: p.progress}
	err = p.to.PutBlob(d, arrived)
	if err != nil {
		p.progress(0, -arrived.n) // the next try counts anew
	}
	if arrived.err != nil && arrived.err != io.EOF {
		return p.explain(arrived.err)
	}
	return err
}

// counted reports what was read, and keeps the error that ended it.
type counted struct {
	r        io.Reader
	n        int64
	err      error
	progress func(total, done int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.progress(0, int64(n))
	if err != nil {
		c.err = err
	}
	return n, err
}
