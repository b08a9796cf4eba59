// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// find returns the descriptor of the manifest that a reference names.
func (l *Layout) find(r Ref, want v1.Platform) (v1.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	if r.Digest != "" {
		return l.findDigest(index.Manifests, r, want)
	}
	var named []v1.Descriptor
	for _, d := range index.Manifests {
		if !isAttestation(d) && (r.Name == "" || refName(d) == r.Name) {
			named = append(named, d)
		}
	}
	if len(named) == 0 {
		return v1.Descriptor{}, notFound(r)
	}
	return l.Choose(named, want)
}

// findDigest looks for a digest in the list from, then in the indexes it leads
// to. The name is ignored: the tag may have moved.
func (l *Layout) findDigest(from []v1.Descriptor, r Ref, want v1.Platform) (v1.Descriptor, error) {
	match := func(d v1.Descriptor) bool { return d.Digest == r.Digest && !isAttestation(d) }
	if at := slices.IndexFunc(from, match); at >= 0 {
		return l.Select(from[at], want)
	}
	found, err := l.below(from, match)
	if err == nil && len(found) == 0 {
		err = notFound(r)
	}
	if err != nil {
		return v1.Descriptor{}, err
	}
	return l.Select(found[0], want)
}

func notFound(r Ref) error { return status.Errorf(status.NoInput, "%s: image not found", r) }

// maxDepth is the maximum nesting of indexes.
const maxDepth = 8

// Select returns the descriptor of a manifest: d itself or, if it describes an
// index, that of the image for a platform in it or in nested indexes.
func (l *Layout) Select(d v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	if !IsIndex(d.MediaType) {
		return d, nil
	}
	return l.Choose([]v1.Descriptor{d}, want)
}

// Entries returns the entries of index.json, without those that describe others.
func (l *Layout) Entries() ([]v1.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(index.Manifests, isAttestation), nil
}

// Choose returns the descriptor of the only image for the platform that the list
// from leads to.
func (l *Layout) Choose(from []v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	all, err := l.below(from, func(d v1.Descriptor) bool { return !IsIndex(d.MediaType) })
	if err != nil {
		return v1.Descriptor{}, err
	}
	if len(all) == 1 && all[0].Platform == nil {
		return all[0], nil // a single image needs no platform here: its config is checked later
	}
	var fit []v1.Descriptor
	var have []v1.Platform
	for _, d := range all {
		p, err := l.platform(d)
		if err != nil {
			return v1.Descriptor{}, err
		}
		if p.OS != "" {
			have = append(have, p)
		}
		if matches(want, p) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return v1.Descriptor{}, ambiguous(fit)
	case len(have) == 0:
		return v1.Descriptor{}, status.Errorf(status.NoInput, "%s: no image with a platform", l.name)
	}
	return v1.Descriptor{}, wrongPlatform(want, have)
}

// ambiguous returns an error that lists the names of images, with their digests
// where names are equal.
func ambiguous(fit []v1.Descriptor) error {
	times := map[string]int{}
	for _, d := range fit {
		times[refName(d)]++
	}
	var names []string
	for _, d := range fit {
		name := refName(d)
		if name == "" || times[name] > 1 {
			name += "@" + string(d.Digest)
		}
		if d.Platform != nil && d.Platform.Variant != "" {
			name += " (" + PlatformString(*d.Platform) + ")"
		}
		names = append(names, name)
	}
	return status.Hint(status.Errorf(status.NoInput, "several images match: %s", strings.Join(names, ", ")),
		"name one of them, or give --platform with a variant")
}

// below returns the descriptors in the list from, and in the indexes it leads
// to, for which wanted returns true. Each digest is listed once. Entries of a
// named index inherit its name. Attestations are skipped.
func (l *Layout) below(from []v1.Descriptor, wanted func(v1.Descriptor) bool) ([]v1.Descriptor, error) {
	s := search{Layout: l, wanted: wanted, seen: map[digest.Digest]bool{}}
	err := s.add(from, "", 0)
	return s.found, err
}

// A search records the digests seen: indexes may refer to each other.
type search struct {
	*Layout
	wanted func(v1.Descriptor) bool
	seen   map[digest.Digest]bool
	found  []v1.Descriptor
}

func (s *search) add(from []v1.Descriptor, name string, depth int) error {
	if depth > maxDepth {
		return status.Errorf(status.Bad, "indexes nested too deep (limit %d)", maxDepth)
	}
	for _, d := range from {
		if isAttestation(d) || s.seen[d.Digest] {
			continue
		}
		s.seen[d.Digest] = true
		if refName(d) == "" && name != "" {
			d.Annotations = map[string]string{v1.AnnotationRefName: name}
		}
		if s.wanted(d) {
			s.found = append(s.found, d)
		}
		if !IsIndex(d.MediaType) {
			continue
		}
		children, err := s.Children(d)
		if err == nil {
			err = s.add(children, refName(d), depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Children reads the entries of an index.
func (l *Layout) Children(d v1.Descriptor) ([]v1.Descriptor, error) {
	raw, err := l.document(d)
	if err != nil {
		return nil, err
	}
	var index v1.Index
	if err := parse(d, raw, &index); err != nil {
		return nil, err
	}
	return index.Manifests, checkDescriptors(index.Manifests...)
}

// platform returns the platform of a manifest, from its config if the descriptor
// has none. It is empty for an incomplete image or another artifact.
func (l *Layout) platform(d v1.Descriptor) (v1.Platform, error) {
	if d.Platform != nil {
		return *d.Platform, nil
	}
	var config v1.Image
	m, err := l.Manifest(d)
	if err == nil {
		_, err = l.config(m, &config)
	}
	if status.Of(err) == status.NoInput || errors.Is(err, errNotImage) {
		err = nil
	}
	return config.Platform, err
}

// config decodes the config of an image and returns its bytes.
func (l *Layout) config(m *v1.Manifest, into *v1.Image) ([]byte, error) {
	raw, err := l.document(m.Config)
	if err == nil {
		err = parse(m.Config, raw, into)
	}
	return raw, err
}
