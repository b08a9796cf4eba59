// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/tar"
	"banger/lib/tar/tartest"
)

// An img is an image of uncompressed layers.
type img struct {
	layers           []string
	config, manifest string
}

func newImage(arch string, layers ...string) img {
	c := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: arch}, RootFS: v1.RootFS{Type: "layers"}}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromString(l))
		m.Layers = append(m.Layers, describe(v1.MediaTypeImageLayer, l))
	}
	i := img{layers: layers, config: marshal(c)}
	m.Config = describe(v1.MediaTypeImageConfig, i.config)
	i.manifest = marshal(m)
	return i
}

func describe(mediaType, content string) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
}

func marshal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// entry returns the entry of the image in an index.
func (i img) entry(annotations ...string) v1.Descriptor {
	d := describe(v1.MediaTypeImageManifest, i.manifest)
	for n := 0; n+1 < len(annotations); n += 2 {
		if d.Annotations == nil {
			d.Annotations = map[string]string{}
		}
		d.Annotations[annotations[n]] = annotations[n+1]
	}
	return d
}

func file(name, data string) []byte {
	return tartest.Entry{Type: tar.File, Name: name, Data: data}.Bytes()
}

func link(kind byte, name, target string) []byte {
	return tartest.Entry{Type: kind, Name: name, Link: target}.Bytes()
}

func blob(content string) []byte {
	return file("blobs/sha256/"+digest.FromString(content).Encoded(), content)
}

func (i img) blobs() (all []byte) {
	for _, content := range append(i.layers, i.config, i.manifest) {
		all = append(all, blob(content)...)
	}
	return all
}

// index returns the files beside the blobs of a layout.
func index(entries ...v1.Descriptor) []byte {
	raw := marshal(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: entries})
	return append(file("index.json", raw), file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`)...)
}

// legacy returns the files of docker save before Docker 25, with the layers at the
// given names.
func (i img) legacy(tags []string, names ...string) []byte {
	config := digest.FromString(i.config).Encoded() + ".json"
	return append(file(config, i.config), file("manifest.json", marshal([]item{{config, tags, names}}))...)
}

// A cache is an empty cache.
type cache struct {
	dir      string
	warnings []string
}

func newCache(t testing.TB) *cache { return &cache{dir: filepath.Join(t.TempDir(), "oci")} }

// pull pulls a reference with an archive on standard input. It checks that no file
// is left besides those of a layout.
func (c *cache) pull(t testing.TB, reference string, archive []byte) (layout.Ref, error) {
	t.Helper()
	warn := func(text string) { c.warnings = append(c.warnings, text) }
	w, err := layout.NewWriter(t.Context(), c.dir, warn)
	if err != nil {
		t.Fatal(err)
	}
	s := Source{layout.DefaultPlatform, bytes.NewReader(archive), warn}
	ref, err := s.Pull(t.Context(), w, reference, func(_, _ int64) {})
	w.Close()
	left, e := filepath.Glob(filepath.Join(c.dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(c.dir, ".*"))
	if e != nil || len(left) != 3 || len(hidden) != 0 {
		t.Errorf("left in the cache: %v %v %v", left, hidden, e)
	}
	return ref, err
}

// files returns the number of blobs.
func (c *cache) files(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.dir, "blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// check reads the image of a reference with all its layers.
func (c *cache) check(t testing.TB, ref layout.Ref) *layout.Image {
	t.Helper()
	l, err := layout.Open(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	image, err := l.Image(t.Context(), ref, layout.DefaultPlatform)
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range image.Layers {
		r, err := layer.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return image
}
