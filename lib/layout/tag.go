// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationIndex is the annotation of an entry of index.json with the digest of the
// index that its name led to. It keeps that index in the cache, so that an image whose
// tag has not moved is found again by what the registry answers.
const annotationIndex = "banger.index"

// Through returns the digest of the index that an entry came through, or "".
func Through(entry v1.Descriptor) digest.Digest {
	return digest.Digest(entry.Annotations[annotationIndex])
}

// Name returns the name of an entry, or "".
func Name(entry v1.Descriptor) string { return refName(entry) }

// Tag adds a manifest to the index, with a name unless that is "", and records its
// use. through is the digest of the index that the name led to, or that of d. An image
// that had the name keeps its entry without it. An index that has such an entry
// already is not written.
func (w *Writer) Tag(ctx context.Context, name string, d v1.Descriptor, through digest.Digest) error {
	if through == d.Digest {
		through = ""
	}
	defer w.Touch(d.Digest)
	if index, err := w.index(); err == nil && isTagged(index.Manifests, name, d, through) {
		return nil
	}
	return w.change(ctx, func(index *v1.Index) error {
		index.Manifests = tag(index.Manifests, name, d, through)
		return w.SetIndex(index)
	})
}

// SetIndex replaces index.json. It is called in the function that Exclusive calls.
func (w *Writer) SetIndex(index *v1.Index) error {
	return w.writeJSON(filepath.Join(w.dir, v1.ImageIndexFile), index)
}

// isTagged reports whether an index has the entry that Tag would make.
func isTagged(entries []v1.Descriptor, name string, d v1.Descriptor, through digest.Digest) bool {
	return slices.ContainsFunc(entries, func(e v1.Descriptor) bool {
		return e.Digest == d.Digest && (name == "" || refName(e) == name && Through(e) == through)
	})
}

// tag returns the entries of an index in which d has the name. Each digest has
// an entry for each of its names, or one without a name.
func tag(old []v1.Descriptor, name string, d v1.Descriptor, through digest.Digest) []v1.Descriptor {
	var kept []v1.Descriptor
	named := make(map[digest.Digest]bool)
	for _, e := range old {
		if refName(e) != "" && refName(e) != name {
			named[e.Digest] = true
		}
	}
	if name != "" || !named[d.Digest] {
		named[d.Digest] = true
		d.Annotations = nil
		if name != "" {
			d.Annotations = map[string]string{v1.AnnotationRefName: name}
		}
		if through != "" {
			if d.Annotations == nil {
				d.Annotations = map[string]string{}
			}
			d.Annotations[annotationIndex] = string(through)
		}
		kept = append(kept, d)
	}
	for _, e := range old {
		if refName(e) == name {
			delete(e.Annotations, v1.AnnotationRefName)
		}
		if refName(e) != "" || !named[e.Digest] {
			named[e.Digest] = true
			kept = append(kept, e)
		}
	}
	return kept
}

func refName(d v1.Descriptor) string { return d.Annotations[v1.AnnotationRefName] }
