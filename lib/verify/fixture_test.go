// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/layout"
	"banger/lib/status"
)

// An entry is an entry of a layer.
type entry struct {
	tar.Header
	content string
}

// A fixture holds the layers of an image, oldest first, and its creation time.
type fixture struct {
	layers  [][]entry
	created *time.Time
}

var (
	created  = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
	modified = created.Add(-time.Hour)
)

// oneLayer returns an image of one layer.
func oneLayer(entries ...entry) fixture { return fixture{[][]entry{entries}, &created} }

// image writes the image to a new layout and opens it.
func (f fixture) image(t testing.TB) *layout.Image {
	t.Helper()
	dir := t.TempDir()
	put := func(mediaType string, raw []byte) v1.Descriptor {
		d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		write(t, filepath.Join(dir, "blobs", "sha256", d.Digest.Encoded()), raw)
		return d
	}
	config := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Created: f.created, RootFS: v1.RootFS{Type: "layers"}}
	manifest := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, entries := range f.layers {
		raw := archive(t, entries)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(raw))
		manifest.Layers = append(manifest.Layers, put(v1.MediaTypeImageLayer, raw))
	}
	manifest.Config = put(v1.MediaTypeImageConfig, marshal(t, config))
	write(t, filepath.Join(dir, "index.json"), marshal(t, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2},
		Manifests: []v1.Descriptor{put(v1.MediaTypeImageManifest, marshal(t, manifest))}}))
	write(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	l, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	image, err := l.Image(t.Context(), layout.Ref{Dir: dir}, layout.DefaultPlatform)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func archive(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.ModTime.IsZero() {
			e.ModTime = modified
		}
		e.Format, e.Size = tar.FormatPAX, int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

// flatten makes a bundle of an image.
func flatten(t testing.TB, image *layout.Image) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "x.bundle")
	o := bundle.Options{Reference: "x:1"}
	o.MaxSize, o.MaxEntries = 1<<30, 100_000
	o.Warn, o.Progress = func(string) {}, func(_, _ int64) {}
	if err := bundle.Create(t.Context(), dir, image, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ext4Of makes an ext4 file of a bundle.
func ext4Of(t testing.TB, dir string, o ext4.Options) (file string) {
	t.Helper()
	program(t, "mkfs.ext4")
	mkfs, err := ext4.FindMkfs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, _, err := Open(t.Context(), dir, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, bundle.Ext4File)
	if o.Size == 0 {
		o.Size = 16 << 20
	}
	o.Free = -1
	if err := source.WriteExt4(t.Context(), file, bundle.Ext4Options{Options: o, Mkfs: mkfs}); err != nil {
		t.Fatal(err)
	}
	return file
}

// The ways to fill a filesystem.
var (
	direct = ext4.Options{}
	byMkfs = ext4.Options{Populate: ext4.PopulateMkfs}
)

// layersOf returns the layers of an image as a Source.
func layersOf(image *layout.Image) Source {
	return Layers(image, math.MaxInt64, func(string) {}, func(_, _ int64) {})
}

// differences returns what Image reports. Errors other than of the image are
// fatal.
func differences(t testing.TB, file string, source Source) (all []Difference, err error) {
	t.Helper()
	_, err = Image(t.Context(), file, source, func(d Difference) { all = append(all, d) })
	if err != nil && status.Of(err) != status.Bad {
		t.Fatalf("status %d: %v", status.Of(err), err)
	}
	return all, err
}

// agrees fails the test if the image differs from source.
func agrees(t testing.TB, file string, source Source) {
	t.Helper()
	if all, err := differences(t, file, source); err != nil || len(all) > 0 {
		t.Errorf("%v, %d differences: %.2000v", err, len(all), all)
	}
}

// program returns the path of a program of e2fsprogs. If it is not found, the
// test is skipped, or fails with CI=true.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if p, err := exec.LookPath(candidate); err == nil {
			return p
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s not found", name)
	}
	t.Skipf("%s not found", name)
	return ""
}

// file returns an entry; the functions below do so for the other types.
func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content}
}

func directory(name string) entry {
	return entry{tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}, ""}
}

func special(kind byte, name string, major, minor int64) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Mode: 0o600, Devmajor: major, Devminor: minor}, ""}
}

func link(kind byte, name, target string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}, ""}
}

// withXattrs sets xattrs, names and values in turn.
func withXattrs(e entry, xattrs ...string) entry {
	e.PAXRecords = map[string]string{}
	for pair := range slices.Chunk(xattrs, 2) {
		e.PAXRecords["SCHILY.xattr."+pair[0]] = pair[1]
	}
	return e
}

// noise returns random bytes other than zero.
func noise(seed uint64, size int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return string(b)
}
