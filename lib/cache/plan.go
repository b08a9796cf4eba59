// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// A plan says what is removed. It is made and carried out while the index is locked.
type plan struct {
	*graph
	images    []*Image
	leased    set
	now       time.Time
	locks     map[digest.Digest]*os.File // manifests that are to be removed
	locked    set                        // manifests that other processes have locked, or used since
	condemned set                        // what the images that are removed led to
	failed    failures
}

func (c *Cache) newPlan(index *v1.Index, now time.Time) (*plan, error) {
	g, err := newGraph(c.layout)
	if err != nil {
		return nil, err
	}
	leased, err := c.layout.Leases()
	if err != nil {
		return nil, err
	}
	return &plan{graph: g, images: g.images(index.Manifests), leased: leased, now: now,
		locks: map[digest.Digest]*os.File{}, locked: set{}, condemned: set{}}, nil
}

// exclusive calls f with a plan of the cache, which no other process changes meanwhile.
func (c *Cache) exclusive(ctx context.Context, f func(w *layout.Writer, index *v1.Index, p *plan) error) error {
	w := c.layout.Writer(c.warn)
	defer w.Close()
	return w.Exclusive(ctx, func(index *v1.Index) error {
		p, err := c.newPlan(index, time.Now())
		if err != nil {
			return err
		}
		defer p.close()
		return f(w, index, p)
	})
}

// close unlocks the manifests.
func (p *plan) close() {
	for _, f := range p.locks {
		f.Close()
	}
}

// readable returns an error if it is not known what an image needs that has a name
// and stays.
func (p *plan) readable() error {
	for _, i := range p.images {
		if err := i.reach.err; i.kept && i.Reference != "" && err != nil {
			err = fmt.Errorf("%s: %w: no blob is removed, because it is not known which are needed", i.Reference, err)
			return status.Hint(status.With(status.Bad, err), "banger-cache check says how to fetch it again, banger-cache rm removes it")
		}
	}
	return nil
}

// drop marks an image for removal, and locks its manifests. It reports false if a
// process uses it.
func (p *plan) drop(i *Image) bool {
	for d := range i.reach.manifests {
		if p.leased[d] || !p.lock(d) {
			return false
		}
	}
	i.kept = false
	p.condemned.addAll(i.reach.manifests, i.reach.content)
	if through := layout.Through(i.entry); through != "" {
		p.condemned.addAll(p.indexes(through))
	}
	return true
}

// lock locks a manifest. It reports false if a process uses it or has used it since the
// plan was made, or if that cannot be known.
func (p *plan) lock(d digest.Digest) bool {
	if p.locks[d] != nil {
		return true
	}
	if p.locked[d] {
		return false
	}
	f, err := p.TryLock(d)
	switch {
	case err == nil && p.isTouched(d, f):
		f.Close()
		p.locked[d] = true
		return false
	case err == nil:
		p.locks[d] = f
	case !errors.Is(err, fs.ErrNotExist):
		p.locked[d] = true
		return false
	}
	return true
}

// isTouched reports whether a manifest that is locked was used after the graph was made.
// A fetch of what is cached holds the manifest for a moment, and neither leases it nor
// locks the index.
func (p *plan) isTouched(d digest.Digest, f *os.File) bool {
	info, err := f.Stat()
	return err != nil || info.ModTime().After(p.blobs[d].Used)
}

// isRecent reports whether something was used within a duration.
func (p *plan) isRecent(used time.Time, within time.Duration) bool {
	return p.now.Sub(used) < within
}

// needed returns the blobs that stay. What has no name stays if it was used within a
// duration.
func (p *plan) needed(within time.Duration) set {
	needed := set{}
	for _, i := range p.images {
		if !i.kept {
			continue
		}
		needed.addAll(i.reach.manifests, i.reach.content)
		if through := layout.Through(i.entry); through != "" && i.Reference != "" {
			p.need(needed, through)
		}
	}
	for _, roots := range []set{p.leased, p.locked} {
		for d := range roots {
			p.need(needed, d)
		}
	}
	for d, blob := range p.blobs {
		if p.isRecent(blob.Used, within) && !p.condemned[d] {
			p.need(needed, d)
		}
	}
	return needed
}

// need adds a blob, and what it leads to if it is a manifest or an index.
func (p *plan) need(needed set, d digest.Digest) {
	if _, exists := p.blobs[d]; !exists || needed[d] {
		return
	}
	needed[d] = true
	if n := p.unlisted(d); n.Links != nil {
		r := p.reach(d)
		needed.addAll(r.manifests, r.content)
	}
}

// neededAndLocked is needed, and locks the manifests that no entry leads to and that are
// not needed. It repeats that, because one that a process uses keeps others.
func (p *plan) neededAndLocked(within time.Duration) set {
	for {
		if needed := p.needed(within); p.lockUnlisted(needed) {
			return needed
		}
	}
}

// lockUnlisted locks the manifests that no entry leads to and that are not needed. It
// reports false if one is used, so that what is needed has changed.
func (p *plan) lockUnlisted(needed set) bool {
	all := true
	for d := range p.blobs {
		if needed[d] {
			continue
		}
		n := p.unlisted(d)
		if n.err != nil { // another user's, who may have locked it
			p.locked[d] = true
			all = false
		} else if n.Links != nil && !p.lock(d) {
			all = false
		}
	}
	return all
}

// removal returns the blobs to remove that are not needed: before index.json is
// written, and after. Manifests come before what they lead to.
func (p *plan) removal(needed set) (before, after []digest.Digest) {
	for d := range p.blobs {
		switch {
		case needed[d]:
		case p.condemned[d]:
			after = append(after, d)
		default:
			before = append(before, d)
		}
	}
	order := func(d digest.Digest) int {
		if p.isManifest(d) {
			return 0
		}
		return 1
	}
	for _, list := range [][]digest.Digest{before, after} {
		slices.SortFunc(list, func(a, b digest.Digest) int { return order(a) - order(b) })
	}
	return before, after
}

// isManifest reports whether a blob that is to be removed is a manifest or an index: these
// are locked.
func (p *plan) isManifest(d digest.Digest) bool { return p.locks[d] != nil }

// entries returns the entries of the images that stay.
func (p *plan) entries() (kept []v1.Descriptor) {
	kept = []v1.Descriptor{}
	for _, i := range p.images {
		if i.kept {
			kept = append(kept, i.entry)
		}
	}
	return kept
}

// dropped returns the images that are removed.
func (p *plan) dropped() []*Image {
	return slices.DeleteFunc(slices.Clone(p.images), func(i *Image) bool { return i.kept })
}
