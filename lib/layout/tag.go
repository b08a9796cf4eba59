// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Tag adds a manifest to the index, with a name unless that is "". An image that
// had the name keeps its entry without it.
func (w *Writer) Tag(name string, d v1.Descriptor) error {
	unlock, err := w.lock()
	if err != nil {
		return err
	}
	defer unlock()
	index, err := w.indexToChange()
	if err != nil {
		return err
	}
	index.Manifests = tag(index.Manifests, name, d)
	return w.writeJSON(filepath.Join(w.dir, v1.ImageIndexFile), index)
}

// tag returns the entries of an index in which d has the name. Each digest has
// an entry for each of its names, or one without a name.
func tag(old []v1.Descriptor, name string, d v1.Descriptor) []v1.Descriptor {
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
