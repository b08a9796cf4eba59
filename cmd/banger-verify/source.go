// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"banger/lib/bundle"
	"banger/lib/layout"
	"banger/lib/status"
	"banger/lib/verify"
	"banger/lib/xdg"
)

// A replayer holds the options for replaying layers.
type replayer struct {
	maxEntries int64
	warn       func(string)
	progress   func(total, done int64)
}

// source returns the layers of image as a source, or err.
func (r replayer) source(image *layout.Image, err error) (verify.Source, error) {
	if err != nil {
		return nil, err
	}
	return verify.Layers(image, r.maxEntries, r.warn, r.progress), nil
}

// choose returns the source to compare an image with.
func choose(against string, docs bundle.Documents, r replayer) (verify.Source, error) {
	switch {
	case against == "":
		return r.source(recorded(docs))
	case isDirectory(against) && !layout.Is(against):
		return verify.Bundle(against, r.warn), nil
	}
	ref, err := layout.ParseRef(against)
	if err != nil {
		return nil, err
	}
	if ref.Name == "" && ref.Digest == "" {
		ref.Digest = docs.Digest // the layout may hold other images
	}
	return r.source(open(ref))
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// recorded returns the image that an ext4 file was made of. It is read from the
// layout that the layers came from if that is recorded and still has them, else
// from the cache.
func recorded(docs bundle.Documents) (*layout.Image, error) {
	if docs.Digest == "" {
		return nil, status.Hint(status.Errorf(status.NoInput, "no image.json next to it"),
			"use --against with the bundle or directory that it was made of")
	}
	if err := docs.Digest.Validate(); err != nil {
		return nil, status.Errorf(status.Bad, "image.json: digest %q: %w", docs.Digest, err)
	}
	if docs.Layout != "" {
		image, err := open(layout.Ref{Dir: string(docs.Layout), Digest: docs.Digest})
		if !notFound(err) {
			return image, err
		}
	}
	return cached(docs)
}

// cached returns the image that an ext4 file was made of from the cache.
func cached(docs bundle.Documents) (*layout.Image, error) {
	dir, err := xdg.Cache(os.Getenv)
	if err != nil {
		return nil, err
	}
	image, err := open(layout.Ref{Dir: filepath.Join(dir, "oci"), Digest: docs.Digest})
	if notFound(err) {
		err = notFoundAnywhere(docs)
	}
	return image, err
}

// notFound reports whether an error means that a layout, or the image in it, does
// not exist.
func notFound(err error) bool {
	return status.Of(err) == status.NoInput || errors.Is(err, syscall.ENOTDIR)
}

// open opens an image and checks that all its layers exist.
func open(ref layout.Ref) (*layout.Image, error) {
	from, err := layout.Open(ref.Dir)
	if err != nil {
		return nil, err
	}
	image, err := from.Image(ref, layout.DefaultPlatform)
	if err != nil {
		return nil, err
	}
	for _, l := range image.Layers {
		blob, err := l.Open()
		if err != nil {
			return nil, err
		}
		blob.Close()
	}
	return image, nil
}

// fetchable matches references that a registry may know; names in a layout have
// no slash. It excludes all characters that are special to a shell, because the
// hint is meant to be pasted into one.
var fetchable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._-]+)+(:[A-Za-z0-9._-]+)?$`)

// notFoundAnywhere returns the error for layers that are neither where they came
// from nor in the cache, with a hint how to get them.
func notFoundAnywhere(docs bundle.Documents) error {
	where := "in the cache"
	if docs.Layout != "" {
		where = "in " + string(docs.Layout) + " any more"
	}
	err := status.Errorf(status.NoInput, "the layers of %s are not %s", docs.Digest, where)
	reference, _, _ := strings.Cut(docs.Reference, "@")
	if !fetchable.MatchString(reference) {
		return status.Hint(err, "use --against with the bundle or layout that it was made of")
	}
	return status.Hint(err, "banger-fetch %s@%s gets them; or use --against with the bundle or layout that it was made of", reference, docs.Digest)
}
