// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
)

// An Image is an entry of index.json.
type Image struct {
	Reference string        `json:"reference"` // "" for none
	Digest    digest.Digest `json:"digest"`
	Platform  string        `json:"platform"` // "" if the entry does not say
	Bytes     int64         `json:"bytes"`    // of its blobs in the cache, also of those that others share
	Used      time.Time     `json:"used"`     // by banger-fetch, banger-flatten or banger-verify
	Problem   string        `json:"problem,omitempty"`

	entry v1.Descriptor
	reach *reach
	kept  bool
}

// Images lists the images in the order of index.json, the newest first.
func (c *Cache) Images() ([]*Image, error) {
	if c.layout == nil {
		return nil, nil
	}
	entries, err := c.layout.Entries()
	if err != nil {
		return nil, err
	}
	g, err := newGraph(c.layout)
	if err != nil {
		return nil, err
	}
	return g.images(entries), nil
}

func (g *graph) images(entries []v1.Descriptor) (all []*Image) {
	for _, e := range entries {
		i := &Image{Reference: layout.Name(e), Digest: e.Digest, entry: e, reach: g.reach(e.Digest), kept: true}
		if e.Platform != nil {
			i.Platform = layout.PlatformString(*e.Platform)
		}
		i.Bytes = g.bytes(i.reach.manifests) + g.bytes(i.reach.content)
		for d := range i.reach.manifests {
			if used := g.blobs[d].Used; used.After(i.Used) {
				i.Used = used.UTC()
			}
		}
		if p := i.problems(); len(p) > 0 {
			i.Problem = strings.Join(p, "; ")
		}
		all = append(all, i)
	}
	return all
}

// problems says what is missing or damaged of an image.
func (i *Image) problems() (all []string) {
	if i.reach.err != nil {
		return []string{i.reach.err.Error()}
	}
	for _, d := range i.reach.missing {
		all = append(all, "blob "+string(d)+" not found")
	}
	return all
}

// Name returns the reference of an image, or its digest if it has none.
func (i *Image) Name() string {
	if i.Reference != "" {
		return i.Reference
	}
	return string(i.Digest)
}
