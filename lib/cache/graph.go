// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"io/fs"

	"github.com/opencontainers/go-digest"

	"banger/lib/input"
	"banger/lib/layout"
	"banger/lib/status"
)

// A set is a set of digests.
type set map[digest.Digest]bool

func (s set) addAll(others ...set) {
	for _, other := range others {
		for d := range other {
			s[d] = true
		}
	}
}

// A graph is the blobs of a layout and what they name. Each is read once.
type graph struct {
	*layout.Layout
	blobs map[digest.Digest]layout.BlobFile
	read  map[digest.Digest]node
}

type node struct {
	*layout.Links // nil if the blob is neither a manifest nor an index
	err           error
}

func newGraph(l *layout.Layout) (*graph, error) {
	blobs, _, err := l.Blobs()
	return &graph{l, blobs, map[digest.Digest]node{}}, err
}

// node reads a blob that exists.
func (g *graph) node(d digest.Digest) node {
	n, known := g.read[d]
	if !known {
		n.Links, n.err = g.Links(g.blobs[d])
		g.read[d] = n
	}
	return n
}

// unlisted is node for a blob that no entry leads to. One that is damaged, or that is
// no document, leads nowhere.
func (g *graph) unlisted(d digest.Digest) node {
	if g.blobs[d].Size > input.MaxDocument {
		return node{}
	}
	n := g.node(d)
	if !errors.Is(n.err, fs.ErrPermission) {
		n.err = nil
	}
	return n
}

// A reach is what a manifest or an index leads to.
type reach struct {
	manifests set // manifests and indexes that exist, the first among them
	content   set // configs and layers that exist
	missing   []digest.Digest
	err       error // why a manifest or an index cannot be read
}

// reach returns what a manifest or an index leads to. The images for other platforms
// in an index need not exist.
func (g *graph) reach(root digest.Digest) *reach {
	r := &reach{manifests: set{}, content: set{}}
	if _, exists := g.blobs[root]; !exists {
		r.missing = append(r.missing, root)
		r.err = status.Errorf(status.Bad, "blob %s not found", root)
		return r
	}
	r.add(g, root)
	return r
}

func (r *reach) add(g *graph, d digest.Digest) {
	if r.manifests[d] {
		return
	}
	r.manifests[d] = true
	n := g.node(d)
	if n.err != nil && r.err == nil {
		r.err = n.err
	}
	if n.Links == nil {
		return
	}
	for _, child := range n.Manifests {
		if _, exists := g.blobs[child.Digest]; exists {
			r.add(g, child.Digest)
		}
	}
	for _, child := range n.Content {
		if _, exists := g.blobs[child.Digest]; exists {
			r.content[child.Digest] = true
		} else {
			r.missing = append(r.missing, child.Digest)
		}
	}
}

// indexes returns an index and the indexes in it.
func (g *graph) indexes(root digest.Digest) set {
	found := set{}
	for d := range g.reach(root).manifests {
		if n := g.node(d); n.Links != nil && len(n.Manifests) > 0 {
			found[d] = true
		}
	}
	return found
}

// bytes returns the size of blobs together.
func (g *graph) bytes(of set) (sum int64) {
	for d := range of {
		sum += g.blobs[d].Size
	}
	return sum
}
