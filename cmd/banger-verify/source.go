// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

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
		return r.source(cached(docs))
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

// cached returns the image in the cache that an ext4 file was made of.
func cached(docs bundle.Documents) (*layout.Image, error) {
	if docs.Digest == "" {
		return nil, status.Hint(status.Errorf(status.NoInput, "no image.json next to it"),
			"use --against with the bundle or directory that it was made of")
	}
	if err := docs.Digest.Validate(); err != nil {
		return nil, status.Errorf(status.Bad, "image.json: digest %q: %w", docs.Digest, err)
	}
	dir, err := xdg.Cache(os.Getenv)
	if err != nil {
		return nil, err
	}
	image, err := open(layout.Ref{Dir: filepath.Join(dir, "oci"), Digest: docs.Digest})
	if status.Of(err) == status.NoInput {
		err = notCached(docs)
	}
	return image, err
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

// notCached returns the error for layers missing from the cache, with a hint
// how to get them.
func notCached(docs bundle.Documents) error {
	err := status.Errorf(status.NoInput, "the layers of %s are not in the cache", docs.Digest)
	reference, _, _ := strings.Cut(docs.Reference, "@")
	if !fetchable.MatchString(reference) {
		return status.Hint(err, "use --against with the bundle or layout that it was made of")
	}
	return status.Hint(err, "banger-fetch %s@%s gets them; or use --against with the bundle or layout that it was made of", reference, docs.Digest)
}
