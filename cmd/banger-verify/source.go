// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"

	"banger/lib/bundle"
	"banger/lib/layout"
	"banger/lib/status"
	"banger/lib/verify"
	"banger/lib/xdg"
)

// A replayer holds the options for replaying layers, and the image that is replayed.
type replayer struct {
	maxEntries int64
	warn       func(string)
	progress   func(total, done int64)
	image      *layout.Image // nil for none
	isCached   bool          // the image is in the cache
}

// choose returns the source to compare an image with.
func choose(ctx context.Context, against string, docs bundle.Documents, r *replayer) (verify.Source, error) {
	switch {
	case against == "":
		return r.recorded(ctx, docs)
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
	return r.open(ctx, ref)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// recorded returns the layers that an ext4 file was made of. They are read from the
// layout that they came from if that is recorded and still has them, else from the
// cache.
func (r *replayer) recorded(ctx context.Context, docs bundle.Documents) (verify.Source, error) {
	if docs.Parent != nil {
		return nil, status.Hint(status.Errorf(status.Bad, "made of %s by a script: there are no layers to compare it with", docs.Parent.Name),
			"use --against with what %s was made of, to see what the script has changed", docs.Parent.Name)
	}
	if docs.Digest == "" {
		return nil, status.Hint(status.Errorf(status.NoInput, "no image.json next to it"),
			"use --against with the bundle or directory that it was made of")
	}
	if err := docs.Digest.Validate(); err != nil {
		return nil, status.Errorf(status.Bad, "image.json: digest %q: %w", docs.Digest, err)
	}
	if docs.Layout != "" {
		source, err := r.open(ctx, layout.Ref{Dir: string(docs.Layout), Digest: docs.Digest})
		if !notFound(err) {
			return source, err
		}
	}
	cache, err := xdg.Cache(os.Getenv)
	if err != nil {
		return nil, err
	}
	source, err := r.open(ctx, layout.Ref{Dir: cache, Digest: docs.Digest})
	if notFound(err) {
		err = notFoundAnywhere(docs)
	}
	return source, err
}

// notFound reports whether an error means that a layout, or the image in it, does
// not exist.
func notFound(err error) bool {
	return status.Of(err) == status.NoInput || errors.Is(err, syscall.ENOTDIR)
}

// open returns the layers of an image as a source. The caller closes r.image.
func (r *replayer) open(ctx context.Context, ref layout.Ref) (verify.Source, error) {
	image, err := open(ctx, ref)
	if err != nil {
		return nil, err
	}
	r.image = image
	if r.isCached = xdg.IsCache(os.Getenv, ref.Dir); r.isCached {
		image.Touch()
	}
	return verify.Layers(image, r.maxEntries, r.warn, r.progress), nil
}

// open opens an image, which the caller closes, and checks that all its layers exist.
func open(ctx context.Context, ref layout.Ref) (*layout.Image, error) {
	from, err := layout.Open(ref.Dir)
	if err != nil {
		return nil, err
	}
	image, err := from.Image(ctx, ref, layout.DefaultPlatform)
	if err != nil {
		return nil, err
	}
	for _, l := range image.Layers {
		blob, err := l.Open()
		if err != nil {
			image.Close()
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
