// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"banger/lib/status"
	"banger/lib/transfer"
)

// parallel is how many layers of one image are fetched at a time.
const parallel = 4

// blobs fetches the blobs that are missing. Those that another process is fetching come
// last, so that several processes share the work.
func (p *pull) blobs(ctx context.Context, list []v1.Descriptor) error {
	missing, err := p.missing(ctx, list)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := p.to.CheckSpace(missing); err != nil {
		return err
	}
	for _, d := range missing {
		p.progress(d.Size, 0)
	}
	var mu sync.Mutex
	var later []v1.Descriptor
	all := together(missing)
	err = inParallel(ctx, missing, func(ctx context.Context, d v1.Descriptor) error {
		err := p.blob(ctx, d, all, func(_ context.Context, path string) (*transfer.Part, error) { return transfer.TryLock(path) })
		if errors.Is(err, transfer.ErrLocked) {
			mu.Lock()
			defer mu.Unlock()
			later, err = append(later, d), nil
		}
		return err
	})
	if err != nil {
		return err
	}
	all = together(later)
	return inParallel(ctx, later, func(ctx context.Context, d v1.Descriptor) error { return p.blob(ctx, d, all, transfer.Lock) })
}

// together returns how many bytes are fetched at the same time: those of the largest
// blobs.
func together(list []v1.Descriptor) (bytes int64) {
	sizes := make([]int64, 0, len(list))
	for _, d := range list {
		sizes = append(sizes, d.Size)
	}
	slices.Sort(sizes)
	for _, size := range sizes[max(0, len(sizes)-parallel):] {
		bytes += size
	}
	return bytes
}

func inParallel(ctx context.Context, list []v1.Descriptor, f func(context.Context, v1.Descriptor) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range list {
		group.Go(func() error { return f(ctx, d) })
	}
	return group.Wait()
}

// missing returns the blobs that the layout does not have, each once.
func (p *pull) missing(ctx context.Context, list []v1.Descriptor) (missing []v1.Descriptor, err error) {
	known := make(map[digest.Digest]bool)
	for _, d := range list {
		if known[d.Digest] || p.to.Has(ctx, d) {
			continue
		}
		known[d.Digest] = true
		if d.Digest.Algorithm() != digest.SHA256 {
			return nil, status.Errorf(status.Bad, "%s: unsupported digest algorithm, not sha256", d.Digest)
		}
		if err := p.to.CheckPlace(d.Digest); err != nil {
			return nil, err
		}
		missing = append(missing, d)
	}
	return missing, ctx.Err()
}

// blob fetches a blob. together is the size of all that are fetched at the same time.
// If another process has fetched it when its part file is locked, nothing is fetched.
func (p *pull) blob(ctx context.Context, d v1.Descriptor, together int64, lock func(context.Context, string) (*transfer.Part, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, blob, err := p.to.Ingest(d.Digest)
	if err != nil {
		return err
	}
	part, err := lock(ctx, path)
	if err != nil {
		return err
	}
	if p.to.Has(ctx, d) {
		p.progress(0, d.Size)
		return part.Discard()
	}
	defer part.Close()
	isNew := part.IsEmpty()
	hosts, err := p.blobHosts(d)
	if err != nil {
		return err
	}
	err = part.Fetch(ctx, transfer.Blob{
		Digest: string(d.Digest), Size: d.Size, Hosts: hosts,
		Share: float64(d.Size) / float64(together), Limiter: p.limiter, Retry: p.Retry,
		Progress: p.progressed,
		Log: func(host string, err error) {
			if host == hosts[len(hosts)-1].Name() {
				p.repeated(host, err)
			} else {
				p.log(host, err)
			}
		},
	})
	if isNew && errors.As(context.Cause(ctx), new(*unsuitable)) {
		return errors.Join(err, part.Discard())
	}
	if err != nil && !strings.HasPrefix(err.Error(), string(d.Digest)) {
		err = fmt.Errorf("%s: %w", d.Digest, err)
	}
	if err != nil {
		return err
	}
	return part.Rename(blob)
}

// blobHosts returns the hosts that may have a blob, without those that could not be
// connected to before.
func (p *pull) blobHosts(d v1.Descriptor) (all []transfer.Host, err error) {
	capable, err := p.capable("pull", func(c *client) bool { return c.host.Pull })
	if err != nil {
		return nil, err
	}
	for i, c := range capable {
		if i == len(capable)-1 || !c.isDead() {
			all = append(all, &blobHost{client: c, pull: p, blob: d})
		}
	}
	return all, nil
}

// progressed counts bytes of a blob that have arrived, or were dropped.
func (p *pull) progressed(n int64) {
	p.progress(0, n)
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > 0 {
		p.failing = time.Time{}
	}
}

// repeated reports a failure after which the last host is asked again. If requests
// still fail after a while, that is a warning, once.
func (p *pull) repeated(host string, err error) {
	p.log(host, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failing.IsZero():
		p.failing = time.Now()
	case !p.warned && time.Since(p.failing) >= p.patience:
		p.warned = true
		p.Warn(fmt.Sprintf("%s: trying again for up to %v", named(host, err), p.Retry.For))
	}
}
