// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A rawLayer is a layer's blob, valid or not.
type rawLayer struct {
	blob []byte
	diff digest.Digest // its DiffID
}

// rawArchive returns a layer of an uncompressed archive.
func rawArchive(archive []byte) rawLayer { return rawLayer{archive, digest.FromBytes(archive)} }

// A rawLayout is a layout written file by file, valid or not.
type rawLayout struct {
	t   testing.TB
	dir string
}

// rawImage writes a layout of one image at dir, which must not exist.
func rawImage(t testing.TB, dir string, layers ...rawLayer) image {
	t.Helper()
	l := newRawLayout(t, dir)
	var blobs []v1.Descriptor
	config := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, RootFS: v1.RootFS{Type: "layers"}}
	for _, layer := range layers {
		blobs = append(blobs, l.blob(v1.MediaTypeImageLayer, layer.blob))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.diff)
	}
	manifest := l.manifest(l.document(v1.MediaTypeImageConfig, config), blobs...)
	return l.index(manifest)
}

func newRawLayout(t testing.TB, dir string) rawLayout {
	t.Helper()
	l := rawLayout{t, dir}
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return l
}

func (l rawLayout) write(name string, data []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), data, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l rawLayout) blob(mediaType string, data []byte) v1.Descriptor {
	l.t.Helper()
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	l.write("blobs/sha256/"+d.Digest.Encoded(), data)
	return d
}

func (l rawLayout) document(mediaType string, v any) v1.Descriptor {
	l.t.Helper()
	return l.blob(mediaType, l.json(v))
}

func (l rawLayout) json(v any) []byte {
	l.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return raw
}

func (l rawLayout) manifest(config v1.Descriptor, layers ...v1.Descriptor) v1.Descriptor {
	l.t.Helper()
	return l.document(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: layers,
	})
}

// index writes an index.json with the descriptor as the layout's one image.
func (l rawLayout) index(d v1.Descriptor) image {
	l.t.Helper()
	d.Annotations = map[string]string{v1.AnnotationRefName: "1"}
	l.write("index.json", l.json(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{d},
	}))
	return image{l.dir, "1"}
}
