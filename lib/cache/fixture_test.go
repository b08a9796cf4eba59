// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
)

// A fixture is a cache whose blobs have names.
type fixture struct {
	*testing.T
	dir   string
	names map[digest.Digest]string
	warns []string
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, dir: filepath.Join(t.TempDir(), "oci"), names: map[digest.Digest]string{}}
	f.writer().Close()
	return f
}

func (f *fixture) writer() *layout.Writer {
	f.Helper()
	w, err := layout.NewWriter(f.Context(), f.dir, func(s string) { f.warns = append(f.warns, s) })
	if err != nil {
		f.Fatal(err)
	}
	return w
}

func (f *fixture) cache() *Cache {
	f.Helper()
	c, err := Open(f.dir, func(s string) { f.warns = append(f.warns, s) })
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// blob writes a blob that was used some days ago.
func (f *fixture) blob(name, mediaType, content string, days float64) v1.Descriptor {
	f.Helper()
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
	tmp := filepath.Join(f.dir, "tmp")
	if err := errors.Join(os.WriteFile(tmp, []byte(content), 0o666), os.Rename(tmp, f.path(d.Digest))); err != nil {
		f.Fatal(err)
	}
	f.names[d.Digest] = name
	f.age(f.path(d.Digest), days)
	return d
}

func (f *fixture) path(d digest.Digest) string {
	return filepath.Join(f.dir, "blobs", string(d.Algorithm()), d.Encoded())
}

func (f *fixture) age(path string, days float64) {
	f.Helper()
	at := time.Now().Add(-time.Duration(days * float64(24*time.Hour)))
	if err := os.Chtimes(path, at, at); err != nil {
		f.Fatal(err)
	}
}

// image writes an image of layers, each of which has a letter, that was used some
// days ago: blobs NAME, NAME.config and the letters.
func (f *fixture) image(name, layers string, days float64) v1.Descriptor {
	f.Helper()
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	m.Config = f.blob(name+".config", v1.MediaTypeImageConfig, `{"config":{"Cmd":["`+name+`"]}}`, days)
	for _, l := range strings.Split(layers, "") {
		m.Layers = append(m.Layers, f.blob(l, v1.MediaTypeImageLayer, "layer "+l, days))
	}
	return f.document(name, v1.MediaTypeImageManifest, m, days)
}

func (f *fixture) document(name, mediaType string, document any, days float64) v1.Descriptor {
	f.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		f.Fatal(err)
	}
	return f.blob(name, mediaType, string(raw), days)
}

// index writes an index of images.
func (f *fixture) index(name string, days float64, images ...v1.Descriptor) v1.Descriptor {
	f.Helper()
	return f.document(name, v1.MediaTypeImageIndex, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: images}, days)
}

// tag adds an entry to index.json. The time of the manifest remains.
func (f *fixture) tag(reference string, d, through v1.Descriptor) {
	f.Helper()
	info, err := os.Stat(f.path(d.Digest))
	if err != nil {
		f.Fatal(err)
	}
	w := f.writer()
	defer w.Close()
	if err := w.Tag(f.Context(), reference, d, through.Digest); err != nil {
		f.Fatal(err)
	}
	if err := os.Chtimes(f.path(d.Digest), info.ModTime(), info.ModTime()); err != nil {
		f.Fatal(err)
	}
}

// left lists the blobs, by their names.
func (f *fixture) left() string {
	f.Helper()
	var all []string
	files, err := filepath.Glob(filepath.Join(f.dir, "blobs/sha256/*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		all = append(all, f.names[digest.NewDigestFromEncoded(digest.SHA256, filepath.Base(path))])
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// entries lists index.json.
func (f *fixture) entries() string {
	f.Helper()
	images, err := f.cache().Images()
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, i := range images {
		all = append(all, i.Reference+"="+f.names[i.Digest])
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// clean fails the test if there is more in the cache than a layout.
func (f *fixture) clean() {
	f.Helper()
	files, err := os.ReadDir(f.dir)
	var names []string
	for _, e := range files {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != "blobs index.json oci-layout" {
		f.Errorf("in the cache: %s, %v", got, err)
	}
}
