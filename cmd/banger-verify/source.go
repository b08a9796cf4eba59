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

// replayed says how layers are replayed.
type replayed struct {
	maxEntries int64
	warn       func(string)
	progress   func(total, done int64)
}

// of makes a source of an image.
func (r replayed) of(image *layout.Image, err error) (verify.Source, error) {
	if err != nil {
		return nil, err
	}
	return verify.Layers(image, r.maxEntries, r.warn, r.progress), nil
}

// choose returns what an image is to be compared with.
func choose(against string, docs bundle.Documents, r replayed) (verify.Source, error) {
	switch {
	case against == "":
		return r.of(cached(docs))
	case isDirectory(against) && !layout.Is(against):
		return verify.Bundle(against, r.warn), nil
	}
	ref, err := layout.ParseRef(against)
	if err != nil {
		return nil, err
	}
	if ref.Name == "" && ref.Digest == "" {
		ref.Digest = docs.Digest // of several, the one it was made of
	}
	return r.of(open(ref))
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// cached returns the image that an ext4 file was made of, from the cache.
func cached(docs bundle.Documents) (*layout.Image, error) {
	if docs.Digest == "" {
		return nil, status.Hint(status.Errorf(status.NoInput, "no image.json beside it says of what image it is"),
			"--against the bundle or the directory that it was made of")
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
		err = absent(docs)
	}
	return image, err
}

// open opens an image, all of whose layers are there.
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

// fetchable is what a registry may know: a layout's name has no slash. Nothing
// in it means something to the shell that a hint is pasted into.
var fetchable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._-]+)+(:[A-Za-z0-9._-]+)?$`)

// absent says that layers are not in the cache, and how they get there, if by
// banger-fetch.
func absent(docs bundle.Documents) error {
	err := status.Errorf(status.NoInput, "the layers of %s are not in the cache", docs.Digest)
	reference, _, _ := strings.Cut(docs.Reference, "@")
	if !fetchable.MatchString(reference) {
		return status.Hint(err, "--against the bundle or layout it was made of")
	}
	return status.Hint(err, "banger-fetch %s@%s gets them; or --against the bundle or layout it was made of", reference, docs.Digest)
}
