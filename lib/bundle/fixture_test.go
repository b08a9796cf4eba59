// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

// A fixture is an image with one layer in its own layout.
type fixture struct {
	dir      string
	layer    []byte
	manifest v1.Manifest
	config   v1.Image
}

func newFixture(t testing.TB, layer []byte) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), layer: layer}
	created := time.Unix(1600000000, 0).UTC()
	f.config = v1.Image{Platform: amd64, Created: &created,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}}}
	f.manifest = v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Layers: []v1.Descriptor{f.put(t, v1.MediaTypeImageLayer, layer)}}
	return f
}

// put stores a blob.
func (f *fixture) put(t testing.TB, mediaType string, raw []byte) v1.Descriptor {
	t.Helper()
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	write(t, f.blob(d.Digest), string(raw))
	return d
}

func (f *fixture) blob(d digest.Digest) string {
	return filepath.Join(f.dir, "blobs", "sha256", d.Encoded())
}

// image writes the documents and reads the image.
func (f *fixture) image(t testing.TB) *layout.Image {
	t.Helper()
	f.manifest.Config = f.put(t, v1.MediaTypeImageConfig, marshalled(t, f.config))
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2},
		Manifests: []v1.Descriptor{f.put(t, v1.MediaTypeImageManifest, marshalled(t, f.manifest))}}
	write(t, filepath.Join(f.dir, "index.json"), string(marshalled(t, index)))
	write(t, filepath.Join(f.dir, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`)
	l, err := layout.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	image, err := l.Image(t.Context(), layout.Ref{Dir: f.dir}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// create makes a bundle in its own directory.
func (f *fixture) create(t testing.TB, image *layout.Image) (bundle string, err error) {
	t.Helper()
	bundle = filepath.Join(t.TempDir(), "x.bundle")
	return bundle, Create(context.Background(), bundle, image, options())
}

func options() Options {
	o := Options{Reference: "docker.io/library/x:1"}
	o.MaxSize, o.MaxEntries = 1<<30, 1000
	o.Warn, o.Progress = func(string) {}, func(_, _ int64) {}
	return o
}

func marshalled(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// archive packs headers. The content of each file is its Linkname or its name, to
// tell them apart.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.ModTime = time.Unix(1500000000, 0)
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = h.Name
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sample returns an archive with one file of each type.
func sample(t testing.TB) []byte {
	return archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "dir", Mode: 0o555},
		tar.Header{Typeflag: tar.TypeReg, Name: "dir/shadow", Mode: 0, Gid: 42},
		tar.Header{Typeflag: tar.TypeReg, Name: "sudo", Mode: 0o4755},
		tar.Header{Typeflag: tar.TypeLink, Name: "dir/sudo2", Linkname: "sudo"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd"},
		tar.Header{Typeflag: tar.TypeLink, Name: "link2", Linkname: "link"},
		tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		tar.Header{Typeflag: tar.TypeFifo, Name: "odd name\n", Mode: 0o600},
	)
}
