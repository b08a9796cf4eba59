// SPDX-License-Identifier: Apache-2.0

package layout

import (
	_ "crypto/sha512" // of sha384 too
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// putAs writes a document as a blob with a digest of an algorithm.
func putAs(t *testing.T, dir string, algorithm digest.Algorithm, mediaType string, document any) v1.Descriptor {
	t.Helper()
	raw := marshal(t, document)
	d := v1.Descriptor{MediaType: mediaType, Digest: algorithm.FromBytes(raw), Size: int64(len(raw))}
	writeFile(t, filepath.Join(dir, v1.ImageBlobsDir, algorithm.String(), d.Digest.Encoded()), raw)
	return d
}

// imageOf makes an image whose digests are all of one algorithm.
func imageOf(t *testing.T, dir string, algorithm digest.Algorithm) v1.Descriptor {
	t.Helper()
	layer := putAs(t, dir, algorithm, v1.MediaTypeImageLayer, "a layer")
	config := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}}}
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Layers: []v1.Descriptor{layer},
		Config: putAs(t, dir, algorithm, v1.MediaTypeImageConfig, config)}
	m.SchemaVersion = 2
	return putAs(t, dir, algorithm, v1.MediaTypeImageManifest, m)
}

// Digests are sha256 or sha512 (doc/layers.md, I2; image-spec, descriptor.md,
// Registered algorithms).
func TestSHA512(t *testing.T) {
	dir := t.TempDir()
	d := imageOf(t, dir, digest.SHA512)
	image, err := newLayout(t, dir, d).Image(t.Context(), Ref{Dir: dir, Digest: d.Digest}, parsed(t, "linux/amd64"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := image.Layers[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if raw, err := io.ReadAll(r); err != nil || string(raw) != `"a layer"` {
		t.Errorf("%q, %v", raw, err)
	}
}

// Other algorithms are refused for every digest, although the library supports
// them, and so is another spelling than that of descriptor.md.
func TestOtherAlgorithms(t *testing.T) {
	upper := func(d digest.Digest) digest.Digest { return "sha256:" + digest.Digest(strings.ToUpper(d.Encoded())) }
	other := func(digest.Digest) digest.Digest { return digest.SHA384.FromString("a layer") }
	for name, change := range map[string]func(digest.Digest) digest.Digest{
		"sha384":             other,
		"upper case":         upper,
		"an upper algorithm": func(d digest.Digest) digest.Digest { return "SHA256:" + digest.Digest(d.Encoded()) },
		"md5":                func(digest.Digest) digest.Digest { return "md5:d41d8cd98f00b204e9800998ecf8427e" },
		"sha256 of another length": func(digest.Digest) digest.Digest {
			return "sha256:" + digest.Digest(digest.SHA512.FromString("").Encoded())
		},
		"a newline behind": func(d digest.Digest) digest.Digest { return d + "\n" },
		"a slash in it":    func(d digest.Digest) digest.Digest { return d[:20] + "/" + d[21:] },
	} {
		for of, edit := range map[string]func(p *parts){
			"a layer":  func(p *parts) { p.manifest.Layers[0].Digest = change(p.manifest.Layers[0].Digest) },
			"a DiffID": func(p *parts) { p.config.RootFS.DiffIDs[0] = change(p.config.RootFS.DiffIDs[0]) },
		} {
			dir := t.TempDir()
			l := newLayout(t, dir, imageFor(t, dir, "x", "linux/amd64", edit))
			if _, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
				t.Errorf("%s, of %s: status %d: %v", name, of, status.Of(err), err)
			}
		}
		dir := t.TempDir()
		d := imageFor(t, dir, "x", "linux/amd64")
		d.Digest = change(d.Digest)
		nested := put(t, dir, v1.MediaTypeImageIndex, index(d))
		for of, entry := range map[string]v1.Descriptor{"a manifest": d, "a manifest in an index": nested} {
			if _, err := newLayout(t, dir, entry).Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
				t.Errorf("%s, of %s: status %d: %v", name, of, status.Of(err), err)
			}
		}
	}
}
