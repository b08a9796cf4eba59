// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(content, nil)
}

// Compression is detected from the bytes, whatever the media type (doc/layers.md, I8).
func TestCompressionIsTold(t *testing.T) {
	layer := sample(t)
	for compression, blob := range map[string][]byte{"none": layer, "gzip": gzipped(t, layer), "zstd": zstandard(t, layer)} {
		for _, mediaType := range []string{v1.MediaTypeImageLayer, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd} {
			f := newFixture(t, layer)
			f.manifest.Layers[0] = f.put(t, mediaType, blob)
			bundle, err := f.create(t, f.image(t))
			if err != nil {
				t.Errorf("%s as %s: %v", compression, mediaType, err)
				continue
			}
			if got := read(t, filepath.Join(bundle, ManifestFile)); got != sampleManifest {
				t.Errorf("%s as %s: manifest\n%s", compression, mediaType, got)
			}
		}
	}
}

// Data of a blob after the end of its archive is checked too: compression formats
// have checksums there.
func TestCompressedPastTheEnd(t *testing.T) {
	layer := sample(t)
	zeros := make([]byte, 10<<10)
	changed := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[len(b)-at] ^= 1
		return b
	}
	for _, c := range []struct {
		name       string
		blob, diff []byte
		want       string // part of the error, if any
	}{
		{"the zeros of a record in a member of their own", append(gzipped(t, layer), gzipped(t, zeros)...), append(bytes.Clone(layer), zeros...), ""},
		{"the same, which the DiffID is not of", append(gzipped(t, layer), gzipped(t, zeros)...), layer, "DiffID"},
		{"members of nothing", append(append(gzipped(t, nil), gzipped(t, layer)...), gzipped(t, nil)...), layer, ""},
		{"a gzip CRC", changed(gzipped(t, layer), 8), layer, "checksum"},
		{"a gzip length", changed(gzipped(t, layer), 1), layer, "checksum"},
		{"a gzip trailer cut off", gzipped(t, layer)[:len(gzipped(t, layer))-1], layer, "EOF"},
		{"the CRC of a second member", append(gzipped(t, layer), changed(gzipped(t, zeros), 8)...), append(bytes.Clone(layer), zeros...), "checksum"},
		{"garbage after gzip", append(gzipped(t, layer), "garbage, garbage"...), layer, "header"},
		{"a zstd checksum", changed(zstandard(t, layer), 1), layer, "CRC"},
		{"a zstd checksum cut off", zstandard(t, layer)[:len(zstandard(t, layer))-1], layer, "EOF"},
		{"a zstd frame of zeros after it", append(zstandard(t, layer), zstandard(t, zeros)...), append(bytes.Clone(layer), zeros...), ""},
		{"the same, which the DiffID is not of", append(zstandard(t, layer), zstandard(t, zeros)...), layer, "DiffID"},
		{"garbage after zstd", append(zstandard(t, layer), "garbage, garbage"...), layer, "magic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, layer)
			f.manifest.Layers[0] = f.put(t, v1.MediaTypeImageLayer, c.blob)
			f.config.RootFS.DiffIDs[0] = digest.FromBytes(c.diff)
			bundle, err := f.create(t, f.image(t))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad):
				t.Errorf("status %d: %v; want %s", status.Of(err), err, c.want)
			case c.want != "":
				nothingIn(t, filepath.Dir(bundle))
			}
		})
	}
}

// A DiffID may be a sha512 digest (image-spec, descriptor.md).
func TestDiffIDOfSHA512(t *testing.T) {
	layer := sample(t)
	f := newFixture(t, layer)
	f.config.RootFS.DiffIDs[0] = digest.SHA512.FromBytes(layer)
	if _, err := f.create(t, f.image(t)); err != nil {
		t.Error(err)
	}
	f.config.RootFS.DiffIDs[0] = digest.SHA512.FromString("another")
	if _, err := f.create(t, f.image(t)); err == nil || !strings.Contains(err.Error(), "DiffID") {
		t.Errorf("another: %v", err)
	}
}

// Layers are applied in the order of the manifest. A layer may occur twice, and
// there may be none.
func TestLayersOfAnImage(t *testing.T) {
	upper := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: ".wh.b"}, tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o600})
	lower := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o644}, tar.Header{Typeflag: tar.TypeReg, Name: "b", Mode: 0o644})
	empty := archive(t)
	const root = "#mtree v2.0\n. type=dir uid=0 gid=0 mode=0755 time=1600000000.000000000\n"
	entry := func(name, mode string) string {
		return "./" + name + " type=file uid=0 gid=0 mode=" + mode + " size=1 time=1500000000.000000000\n"
	}
	for name, c := range map[string]struct {
		layers [][]byte
		want   string
	}{
		"oldest first":     {[][]byte{lower, upper}, root + entry("a", "0600")},
		"and not last":     {[][]byte{upper, lower}, root + entry("a", "0644") + entry("b", "0644")},
		"one twice":        {[][]byte{empty, lower, empty, upper, empty}, root + entry("a", "0600")},
		"one in two roles": {[][]byte{lower, upper, lower}, root + entry("a", "0644") + entry("b", "0644")},
		"none":             {nil, root},
	} {
		f := newFixture(t, empty)
		f.manifest.Layers, f.config.RootFS.DiffIDs = []v1.Descriptor{}, []digest.Digest{}
		for _, l := range c.layers {
			f.manifest.Layers = append(f.manifest.Layers, f.put(t, v1.MediaTypeImageLayer, l))
			f.config.RootFS.DiffIDs = append(f.config.RootFS.DiffIDs, digest.FromBytes(l))
		}
		bundle, err := f.create(t, f.image(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := read(t, filepath.Join(bundle, ManifestFile)); got != c.want {
			t.Errorf("%s: manifest\n%swant\n%s", name, got, c.want)
		}
	}
}

// The root has the metadata of its last entry, else the creation time of the
// image, else the epoch.
func TestRootOfAnImage(t *testing.T) {
	with := archive(t, tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o700, Uid: 5, Gid: 6})
	for _, c := range []struct {
		name  string
		layer []byte
		said  bool
		want  string
	}{
		{"in a layer", with, true, ". type=dir uid=5 gid=6 mode=0700 time=1500000000.000000000"},
		{"in no layer", archive(t), true, ". type=dir uid=0 gid=0 mode=0755 time=1600000000.000000000"},
		{"in no layer, of an image without a time", archive(t), false, ". type=dir uid=0 gid=0 mode=0755 time=0.000000000"},
	} {
		f := newFixture(t, c.layer)
		if !c.said {
			f.config.Created = nil
		}
		bundle := filepath.Join(t.TempDir(), "x.bundle")
		if err := Create(context.Background(), bundle, f.image(t), options()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(bundle, ManifestFile)); got != "#mtree v2.0\n"+c.want+"\n" {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
