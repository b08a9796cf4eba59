// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// Remove removes images, with the blobs that only they needed. An image is named by
// its reference, by its digest, or by the start of its digest. Complete turns a
// reference that a user writes into that of an entry. If one of them does not exist,
// nothing is removed.
func (c *Cache) Remove(ctx context.Context, references []string, complete func(string) (string, error)) (Freed, error) {
	var freed Freed
	if c.layout == nil {
		return freed, notCached(references[0])
	}
	err := c.exclusive(ctx, func(w *layout.Writer, index *v1.Index, p *plan) error {
		for _, r := range references {
			found, err := p.find(r, complete)
			if err != nil {
				return err
			}
			for _, i := range found {
				if i.kept && !p.drop(i) {
					return status.Hint(status.Errorf(status.Temporary, "%s: in use", i.Name()), "run it again when no other process reads or fetches the image")
				}
			}
		}
		freed.Images = p.dropped()
		needed := set{}
		if err := p.readable(); err != nil {
			c.warn(err.Error())
			for d := range p.blobs {
				needed[d] = true
			}
		} else {
			needed = p.neededAndLocked(grace)
		}
		for d := range p.blobs {
			if !p.condemned[d] {
				needed[d] = true
			}
		}
		return p.carryOut(w, index, needed, &freed)
	})
	return freed, err
}

// find returns the images that a reference names.
func (p *plan) find(reference string, complete func(string) (string, error)) ([]*Image, error) {
	name, in, byDigest := strings.Cut(reference, "@")
	if !byDigest && strings.HasPrefix(reference, "sha") && strings.Contains(reference, ":") {
		in = reference
	}
	if in != "" {
		return p.findDigest(reference, in)
	}
	found := p.named(name)
	if full, err := complete(name); err == nil && len(found) == 0 {
		found = p.named(full)
	}
	if len(found) == 0 {
		return nil, notCached(reference)
	}
	return found, nil
}

func notCached(reference string) error {
	return status.Hint(status.Errorf(status.NoInput, "%s: not in the cache", reference), "banger-cache list")
}

func (p *plan) named(name string) (found []*Image) {
	for _, i := range p.images {
		if i.Reference == name && name != "" {
			found = append(found, i)
		}
	}
	return found
}

// minDigits is how many digits of a digest name an image.
const minDigits = 12

// findDigest returns the images whose digest, or that of the index they came through,
// starts with in.
func (p *plan) findDigest(reference, in string) ([]*Image, error) {
	var found []*Image
	digests := map[digest.Digest]bool{}
	_, digits, _ := strings.Cut(in, ":")
	for _, i := range p.images {
		for _, d := range []digest.Digest{i.Digest, layout.Through(i.entry)} {
			if len(digits) >= minDigits && strings.HasPrefix(string(d), in) {
				found = append(found, i)
				digests[d] = true
			}
		}
	}
	if len(digests) > 1 {
		return nil, status.Errorf(status.Usage, "%s: several images have a digest that starts so", reference)
	}
	if len(found) > 0 {
		return found, nil
	}
	if found = p.named(reference); len(found) > 0 { // a repository may be called sha256
		return found, nil
	}
	return nil, notCached(reference)
}
