// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// find returns the descriptor of the one manifest that is meant.
func (l *Layout) find(r Ref, want v1.Platform) (v1.Descriptor, error) {
	index, err := l.index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	var named []v1.Descriptor
	for _, d := range index.Manifests {
		switch {
		case isAttestation(d):
		case r.Digest != "" && d.Digest == r.Digest:
			// A digest needs no name: the tag may have moved since.
			return l.Select(d, want)
		case r.Digest == "" && (r.Name == "" || d.Annotations[v1.AnnotationRefName] == r.Name):
			named = append(named, d)
		}
	}
	if r.Digest != "" {
		return l.findDeep(index, r, want)
	}
	if len(named) == 0 {
		return v1.Descriptor{}, status.Errorf(status.NoInput, "%s: no image of that name", r)
	}
	return l.choose(named, want)
}

// findDeep looks for a digest in the indexes below index.json.
func (l *Layout) findDeep(index *v1.Index, r Ref, want v1.Platform) (v1.Descriptor, error) {
	queue := index.Manifests
	for depth := 0; depth < MaxDepth && len(queue) > 0; depth++ {
		var next []v1.Descriptor
		for _, d := range queue {
			if d.Digest == r.Digest {
				return l.Select(d, want)
			}
			if indexTypes[d.MediaType] {
				children, err := l.Children(d)
				if err != nil {
					return v1.Descriptor{}, err
				}
				next = append(next, children...)
			}
		}
		queue = next
	}
	return v1.Descriptor{}, status.Errorf(status.NoInput, "%s: no image of that digest", r)
}

// MaxDepth bounds how deep indexes nest.
const MaxDepth = 8

// Select returns the manifest for a platform of what a descriptor describes: a
// manifest itself, or the one that an index, however nested, leads to.
func (l *Layout) Select(d v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	return l.choose([]v1.Descriptor{d}, want)
}

// choose returns the one image for the platform among some descriptors.
func (l *Layout) choose(from []v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	all, err := l.manifests(from, 0)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if len(all) == 1 && all[0].Platform == nil {
		return all[0], nil // a lone one is the image; its config tells the rest
	}
	var fit []v1.Descriptor
	var have []v1.Platform
	for _, d := range all {
		p, err := l.platform(d)
		if err != nil {
			return v1.Descriptor{}, err
		}
		have = append(have, p)
		if matches(want, p) && !contains(fit, d) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return v1.Descriptor{}, ambiguous(fit)
	case len(have) == 0:
		return v1.Descriptor{}, status.Errorf(status.NoInput, "%s: no image there", l.dir)
	}
	return v1.Descriptor{}, wrongPlatform(want, have)
}

func contains(in []v1.Descriptor, d v1.Descriptor) bool {
	for _, other := range in {
		if other.Digest == d.Digest {
			return true
		}
	}
	return false
}

// ambiguous lists what several images are called.
func ambiguous(fit []v1.Descriptor) error {
	var names []string
	for _, d := range fit {
		name := d.Annotations[v1.AnnotationRefName]
		if name == "" {
			name = "@" + string(d.Digest)
		}
		if d.Platform != nil && d.Platform.Variant != "" {
			name += " (" + PlatformString(*d.Platform) + ")"
		}
		names = append(names, name)
	}
	return status.Hint(status.Errorf(status.NoInput, "several images fit: %s", strings.Join(names, ", ")),
		"name one of them, or its platform with its variant")
}

// manifests lists the image manifests that descriptors lead to.
func (l *Layout) manifests(from []v1.Descriptor, depth int) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	for _, d := range from {
		switch {
		case isAttestation(d):
		case !indexTypes[d.MediaType]:
			all = append(all, d)
		case depth == MaxDepth:
			return nil, status.Errorf(status.Bad, "%s: indexes nested %d deep", d.Digest, depth)
		default:
			children, err := l.Children(d)
			if err == nil {
				children, err = l.manifests(children, depth+1)
			}
			if err != nil {
				return nil, err
			}
			all = append(all, children...)
		}
	}
	return all, nil
}

// Children reads the entries of an index.
func (l *Layout) Children(d v1.Descriptor) ([]v1.Descriptor, error) {
	raw, err := l.document(d)
	if err != nil {
		return nil, err
	}
	var index v1.Index
	err = parse(d, raw, &index)
	return index.Manifests, err
}

// platform returns what a manifest runs on, from its config if need be; of one
// that is not all there, nothing is known.
func (l *Layout) platform(d v1.Descriptor) (v1.Platform, error) {
	if d.Platform != nil {
		return *d.Platform, nil
	}
	var config v1.Image
	m, err := l.Manifest(d)
	if err == nil {
		err = l.config(m, &config)
	}
	if status.Of(err) == status.NoInput {
		err = nil
	}
	return config.Platform, err
}

// config reads the config of an image.
func (l *Layout) config(m *v1.Manifest, into *v1.Image) error {
	raw, err := l.document(m.Config)
	if err == nil {
		err = parse(m.Config, raw, into)
	}
	return err
}
