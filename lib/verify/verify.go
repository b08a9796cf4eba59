// SPDX-License-Identifier: Apache-2.0

// Package verify compares a finished ext4 image with the layers of a container
// image, or with a bundle. It reads the image as a kernel would and does not
// depend on how the image was made.
package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"banger/lib/ext4"
	"banger/lib/tree"
)

// A Difference is one difference between an image and its source.
type Difference struct {
	Path string `json:"path,omitempty"` // as in a manifest; "" for the filesystem itself
	What string `json:"what"`           // a keyword of mtree(5), or one of the constants below
	Want Value  `json:"want,omitzero"`
	Have Value  `json:"have,omitzero"`
}

// A Value is the value of a keyword. The zero Value means that the keyword is
// absent; the value of an empty xattr is present and empty.
type Value struct {
	text    string
	present bool
}

func valueOf(text string) Value { return Value{text, true} }

// MarshalText returns the text of v, or nothing if v is absent.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// String returns v for display, truncated to 80 bytes.
func (v Value) String() string {
	switch {
	case !v.present:
		return "none"
	case v.text == "":
		return "(empty)"
	case len(v.text) > 80:
		return v.text[:77] + "..."
	}
	return v.text
}

// Values of Difference.What other than keywords.
const (
	Filesystem = "filesystem" // the filesystem metadata is damaged; Have describes how
	Missing    = "missing"    // the path is missing from the image
	Extra      = "extra"      // the path is only in the image
	Content    = "content"    // the content of the file differs
	Blocks     = "blocks"     // the number of stored blocks differs from the number of nonzero blocks
	Hardlink   = "hardlink"   // the path belongs to another file; the values are the first path of each
)

// String returns d as one line.
func (d Difference) String() string {
	switch d.What {
	case Filesystem:
		return "filesystem: " + d.Have.text
	case Missing:
		return d.Path + ": missing from the image"
	case Extra:
		return d.Path + ": only in the image"
	case Content:
		return d.Path + ": content differs"
	case Hardlink:
		return d.Path + ": expected " + d.link(d.Want) + ", found " + d.link(d.Have)
	}
	return d.Path + ": " + d.What + ": expected " + d.Want.String() + ", found " + d.Have.String()
}

// link describes the file of d.Path by the first path of that file.
func (d Difference) link(first Value) string {
	if first.text == d.Path {
		return "a separate file"
	}
	return "a hard link to " + first.text
}

// Image compares the image at path with source and calls report for each
// difference: first those of the filesystem itself, then the others by path. It
// returns nil for the Want if the image is too damaged to be compared.
func Image(ctx context.Context, path string, source Source, report func(Difference)) (*Want, error) {
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
	have := image{Image: m, report: serialize(report)}
	group.Go(func() error { return have.read(groupCtx) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if have.tree == nil {
		return nil, nil // reported already
	}
	c := comparer{want: want, have: &have, report: report, names: map[*tree.Inode]string{}}
	c.tree()
	return want, nil
}

// serialize makes report safe for concurrent use.
func serialize(report func(Difference)) func(Difference) {
	var mu sync.Mutex
	return func(d Difference) {
		mu.Lock()
		defer mu.Unlock()
		report(d)
	}
}
