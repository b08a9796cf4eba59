// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/docker/go-units"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// PruneOptions say what Prune removes besides what is not needed.
type PruneOptions struct {
	OlderThan *time.Duration // images that were not used for as long; nil for none
	MaxSize   *int64         // images, until the blobs together have at most as many bytes
	DryRun    bool           // only says what would be removed
}

// Freed says what was removed.
type Freed struct {
	Images []*Image // entries of index.json
	Blobs  int
	Files  int   // part files, damaged blobs and what killed processes left
	Bytes  int64 // of all
}

// Prune removes what is not needed. An error that it returns with what was freed is
// that of something that could not be removed.
func (c *Cache) Prune(ctx context.Context, o PruneOptions) (Freed, error) {
	var freed Freed
	if c.layout == nil {
		return freed, nil
	}
	within := grace
	if o.OlderThan != nil {
		within = min(within, *o.OlderThan)
	}
	err := c.exclusive(ctx, func(w *layout.Writer, index *v1.Index, p *plan) error {
		if err := c.checkIndex(); err != nil {
			return err
		}
		if err := p.readable(); err != nil {
			return err
		}
		p.failed = c.removeLeftovers(&freed, p.leased, time.Now().Add(-within), o.DryRun)
		if o.OlderThan != nil {
			p.expire(*o.OlderThan)
		}
		needed := p.settle(within)
		if o.MaxSize != nil {
			if needed = p.shrink(needed, within, *o.MaxSize); p.bytes(needed) > *o.MaxSize {
				c.warn(fmt.Sprintf("%s remain: they are in use, or were used a short time ago", units.BytesSize(float64(p.bytes(needed)))))
			}
		}
		freed.Images = p.dropped()
		if o.DryRun {
			before, after := p.removal(needed)
			freed.count(p, append(before, after...)...)
			return p.failed.err()
		}
		return p.carryOut(w, index, needed, &freed)
	})
	return freed, err
}

// expire drops the images that were not used for a duration.
func (p *plan) expire(age time.Duration) {
	for _, i := range p.images {
		if !p.isRecent(i.Used, age) {
			p.drop(i)
		}
	}
}

// settle drops the images without a name that are not needed, and returns what is
// needed. It repeats that, because an image that a process uses keeps others.
func (p *plan) settle(within time.Duration) set {
	for {
		named := p.neededByNamed(within)
		for _, i := range p.images {
			if i.kept && i.Reference == "" && !named[i.Digest] && !p.isRecent(i.Used, within) {
				p.drop(i)
			}
		}
		needed := p.needed(within)
		if p.lockUnlisted(needed) {
			return needed
		}
	}
}

// neededByNamed is needed without what only images without a name keep.
func (p *plan) neededByNamed(within time.Duration) set {
	all := p.images
	p.images = slices.DeleteFunc(slices.Clone(all), func(i *Image) bool { return i.Reference == "" })
	defer func() { p.images = all }()
	return p.needed(within)
}

// shrink drops images, the one that was used longest ago first, until the blobs that
// stay have at most size bytes, and returns what is needed.
func (p *plan) shrink(needed set, within time.Duration, size int64) set {
	oldest := slices.Clone(p.images)
	slices.SortStableFunc(oldest, func(a, b *Image) int { return a.Used.Compare(b.Used) })
	for _, i := range oldest {
		if p.bytes(needed) <= size {
			break
		}
		if i.kept && !p.isRecent(i.Used, busy) && p.drop(i) {
			needed = p.settle(within)
		}
	}
	return needed
}

// carryOut writes index.json and removes the blobs that are not needed. One that
// cannot be removed does not keep the others.
func (p *plan) carryOut(w *layout.Writer, index *v1.Index, needed set, freed *Freed) error {
	before, after := p.removal(needed)
	if len(freed.Images)+len(before) == 0 { // then after is empty
		return p.failed.err()
	}
	if err := w.CheckWritable(); err != nil {
		freed.Images = nil
		return status.Hint(err, "%s", whoMay)
	}
	p.remove(w, before, freed)
	if len(freed.Images) > 0 {
		index.Manifests = p.entries()
		var err error
		if after, err = p.setIndex(w, index, after, freed); err != nil {
			freed.Images = nil
			return err
		}
	}
	p.remove(w, after, freed)
	return p.failed.err()
}

// setIndex writes index.json, before the blobs of a list are removed. On a full disk it
// makes room: it removes what was moved away and, if that is not enough, the layers and
// configs of the list. It returns the blobs that are left of the list.
//
// A process that is killed then leaves entries whose images are not complete. Their
// manifests are there, so that the next rm or prune removes them, or the next fetch
// completes them.
func (p *plan) setIndex(w *layout.Writer, index *v1.Index, list []digest.Digest, freed *Freed) ([]digest.Digest, error) {
	err := w.SetIndex(index)
	if !layout.IsFull(err) {
		return list, err
	}
	w.MakeRoom()
	if err = w.SetIndex(index); !layout.IsFull(err) {
		return list, err
	}
	var manifests, content []digest.Digest
	for _, d := range list {
		if p.isManifest(d) {
			manifests = append(manifests, d)
		} else {
			content = append(content, d)
		}
	}
	p.remove(w, content, freed)
	return manifests, w.SetIndex(index)
}

func (p *plan) remove(w *layout.Writer, blobs []digest.Digest, freed *Freed) {
	for _, d := range blobs {
		if err := w.Remove(d); err != nil {
			p.failed.add(err)
			continue
		}
		freed.count(p, d)
	}
}

func (f *Freed) count(p *plan, blobs ...digest.Digest) {
	for _, d := range blobs {
		f.Blobs++
		f.Bytes += p.blobs[d].Size
	}
}

// whoMay is the hint for files that cannot be removed.
const whoMay = "the owner of the files, or root, can remove them"

// failures are the errors of removing several files. Its error is the first, and says
// how many there are.
type failures struct {
	first error
	n     int
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	if f.n++; f.first == nil {
		f.first = err
	}
}

func (f *failures) err() error {
	err := f.first
	if f.n > 1 {
		err = fmt.Errorf("%w; %d more files cannot be removed", err, f.n-1)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = status.Hint(err, "%s", whoMay)
	}
	return err
}
