// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// newLayout makes a layout with entries in index.json.
func newLayout(t *testing.T, dir string, entries ...v1.Descriptor) *Layout {
	t.Helper()
	writeFile(t, filepath.Join(dir, v1.ImageLayoutFile), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	writeFile(t, filepath.Join(dir, v1.ImageIndexFile), marshal(t, index(entries...)))
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func index(entries ...v1.Descriptor) v1.Index {
	return v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: entries}
}

// put writes a document, or bytes, as a blob of a layout.
func put(t *testing.T, dir, mediaType string, document any) v1.Descriptor {
	t.Helper()
	raw, is := document.([]byte)
	if !is {
		raw = marshal(t, document)
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	writeFile(t, filepath.Join(dir, v1.ImageBlobsDir, "sha256", d.Digest.Encoded()), raw)
	return d
}

func writeFile(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// parts are the documents of an image before they are written.
type parts struct {
	config   v1.Image
	manifest v1.Manifest
}

// imageFor makes an image of one layer, whose command is its name.
func imageFor(t *testing.T, dir, name, platform string, edit ...func(*parts)) v1.Descriptor {
	t.Helper()
	layer := put(t, dir, v1.MediaTypeImageLayer, []byte("layer of "+name))
	var p parts
	if platform != "" {
		p.config.Platform = parsed(t, platform)
	}
	p.config.Config.Cmd = []string{name}
	p.config.RootFS = v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}}
	p.manifest = v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Layers: []v1.Descriptor{layer}}
	p.manifest.Config.MediaType = v1.MediaTypeImageConfig
	for _, e := range edit {
		e(&p)
	}
	mediaType, manifestType := p.manifest.Config.MediaType, p.manifest.MediaType
	p.manifest.Config = put(t, dir, mediaType, p.config)
	return put(t, dir, manifestType, p.manifest)
}

// parsed parses a platform of any system.
func parsed(t *testing.T, s string) v1.Platform {
	t.Helper()
	const windows = "windows/"
	if len(s) > len(windows) && s[:len(windows)] == windows {
		return v1.Platform{OS: "windows", Architecture: s[len(windows):]}
	}
	p, err := ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// named returns a descriptor with a name for index.json.
func named(d v1.Descriptor, name string) v1.Descriptor {
	d.Annotations = map[string]string{v1.AnnotationRefName: name}
	return d
}

// on returns a descriptor with a platform.
func on(t *testing.T, d v1.Descriptor, platform string) v1.Descriptor {
	p := parsed(t, platform)
	d.Platform = &p
	return d
}
