// SPDX-License-Identifier: Apache-2.0

// Package verify holds a finished ext4 image against what it is to hold: the
// layers of a container image, or a bundle. The image is read as a kernel would
// read it; nothing of how it was made is known here.
package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"banger/lib/ext4"
	"banger/lib/tree"
)

// A Difference is one thing in an image that is not as it is to be.
type Difference struct {
	Path string `json:"path,omitempty"` // as in a manifest; "" for the filesystem itself
	What string `json:"what"`           // a keyword of mtree(5), or a word of What's
	Want Value  `json:"want,omitzero"`
	Have Value  `json:"have,omitzero"`
}

// A Value is what a keyword says; the zero one, that there is none. An empty
// attribute has an empty one.
type Value struct {
	text string
	said bool
}

func said(text string) Value { return Value{text, true} }

// MarshalText returns what is said, for JSON too.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// String returns it in a line to read, cut where it is long.
func (v Value) String() string {
	switch {
	case !v.said:
		return "none"
	case v.text == "":
		return "(empty)"
	case len(v.text) > 80:
		return v.text[:77] + "..."
	}
	return v.text
}

// What differences are that no keyword tells.
const (
	Filesystem = "filesystem" // its own metadata are at fault, as Have says
	Missing    = "missing"    // the path is not in the image
	More       = "more"       // the path is in the image alone
	Content    = "content"    // the bytes of a file are others
	Blocks     = "blocks"     // it takes more or fewer than are not all zeros
	SameAs     = "inode"      // the first of the names that the file has is another
)

func (d Difference) String() string {
	switch d.What {
	case Filesystem:
		return "filesystem: " + d.Have.text
	case Missing:
		return d.Path + ": not in the image"
	case More:
		return d.Path + ": in the image alone"
	case Content:
		return d.Path + ": its content is another in the image"
	case SameAs:
		return d.Path + ": " + d.file(d.Want) + ", " + d.file(d.Have) + " in the image"
	}
	return d.Path + ": " + d.What + "=" + d.Want.String() + ", " + d.Have.String() + " in the image"
}

// file says which file a path is, by the first of the names that the file has.
func (d Difference) file(first Value) string {
	if first.text == d.Path {
		return "a file of its own"
	}
	return "one file with " + first.text
}

// Image reads an image and what it is to hold side by side, and calls found for
// each difference: first those of the filesystem itself, then by path. The
// want it returns is nil if the image could not be read as far as that.
func Image(ctx context.Context, path string, source Source, found func(Difference)) (*Want, error) {
	m, err := ext4.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	group, groupCtx := errgroup.WithContext(ctx)
	var want *Want
	group.Go(func() (err error) {
		want, err = source(groupCtx)
		return err
	})
	have := image{Image: m, found: oneByOne(found)}
	group.Go(func() error { return have.read(groupCtx) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if have.tree == nil {
		return nil, nil // which has been said
	}
	c := comparer{want: want, have: &have, found: found, names: map[*tree.Inode]string{}}
	c.tree()
	return want, nil
}

// oneByOne lets several goroutines report.
func oneByOne(report func(Difference)) func(Difference) {
	var mu sync.Mutex
	return func(d Difference) {
		mu.Lock()
		defer mu.Unlock()
		report(d)
	}
}
