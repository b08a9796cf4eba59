// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// Damage is found in every document: index, manifest and config (doc/layers.md, I1).
func TestEachDocumentIsVerified(t *testing.T) {
	for name, blob := range map[string]func(list, manifest v1.Descriptor, i *Image) v1.Descriptor{
		"an index":   func(list, _ v1.Descriptor, _ *Image) v1.Descriptor { return list },
		"a manifest": func(_, manifest v1.Descriptor, _ *Image) v1.Descriptor { return manifest },
		"a config": func(_, manifest v1.Descriptor, i *Image) v1.Descriptor {
			m, err := i.Layers[0].layout.Manifest(manifest)
			if err != nil {
				t.Fatal(err)
			}
			return m.Config
		},
	} {
		for how, edit := range map[string]func([]byte) []byte{
			"a byte changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"a byte less":    func(b []byte) []byte { return b[:len(b)-1] },
			"a byte more":    func(b []byte) []byte { return append(b, '\n') },
			"nothing":        func([]byte) []byte { return nil },
		} {
			dir := t.TempDir()
			manifest := on(t, imageFor(t, dir, "x", "linux/amd64"), "linux/amd64")
			list := put(t, dir, v1.MediaTypeImageIndex, index(manifest))
			l := newLayout(t, dir, list)
			image, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64"))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "blobs", "sha256", blob(list, manifest, image).Digest.Encoded())
			if err := rewrite(path, edit); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
				t.Errorf("%s, %s: status %d: %v", name, how, status.Of(err), err)
			}
		}
	}
}

// A nondistributable layer is read if its blob is present; its urls are never
// fetched (doc/layers.md, I4).
func TestNondistributable(t *testing.T) {
	dir := t.TempDir()
	d := imageFor(t, dir, "x", "linux/amd64", func(p *parts) {
		p.manifest.Layers[0].MediaType = ociForeignGzip
		p.manifest.Layers[0].URLs = []string{"http://127.0.0.1:1/blob"}
	})
	image, err := newLayout(t, dir, d).Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := image.Layers[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "blobs", "sha256", image.Layers[0].Digest.Encoded())); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Layers[0].Open(); status.Of(err) != status.NoInput {
		t.Errorf("the blob is not there: %v", err)
	}
}

// The image for the requested platform is chosen (doc/layers.md, I5 and I6).
func TestChoices(t *testing.T) {
	list := func(t *testing.T, dir string, all ...v1.Descriptor) v1.Descriptor {
		return put(t, dir, v1.MediaTypeImageIndex, index(all...))
	}
	check(t, []choice{
		{"an attestation is no second candidate beside a lone manifest", func(t *testing.T, dir string) []v1.Descriptor {
			a := imageFor(t, dir, "attestation", "")
			a.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
			return []v1.Descriptor{imageFor(t, dir, "image", ""), a}
		}, "", "linux/amd64", "image", ""},
		{"an index of attestations alone", func(t *testing.T, dir string) []v1.Descriptor {
			a := imageFor(t, dir, "attestation", "")
			a.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
			return []v1.Descriptor{list(t, dir, a)}
		}, "", "linux/amd64", "", "no image"},
		{"an index of nothing", func(t *testing.T, dir string) []v1.Descriptor {
			return []v1.Descriptor{list(t, dir)}
		}, "", "linux/amd64", "", "no image"},
		{"a windows image beside a linux one of the same architecture", func(t *testing.T, dir string) []v1.Descriptor {
			return []v1.Descriptor{list(t, dir, on(t, imageFor(t, dir, "w", "windows/amd64"), "windows/amd64"), on(t, imageFor(t, dir, "l", "linux/amd64"), "linux/amd64"))}
		}, "", "linux/amd64", "l", ""},
		{"windows images alone", func(t *testing.T, dir string) []v1.Descriptor {
			return []v1.Descriptor{list(t, dir, on(t, imageFor(t, dir, "w", "windows/amd64"), "windows/amd64"))}
		}, "", "linux/amd64", "", "windows/amd64"},
		{"an index in an index, an image of another platform in each", func(t *testing.T, dir string) []v1.Descriptor {
			inner := list(t, dir, on(t, imageFor(t, dir, "arm", "linux/arm64"), "linux/arm64"))
			return []v1.Descriptor{list(t, dir, on(t, imageFor(t, dir, "amd", "linux/amd64"), "linux/amd64"), inner)}
		}, "", "linux/arm64", "arm", ""},
		{"the same platform in an index and in one below, all of one name: their digests are listed", func(t *testing.T, dir string) []v1.Descriptor {
			inner := list(t, dir, on(t, imageFor(t, dir, "one", "linux/amd64"), "linux/amd64"))
			return []v1.Descriptor{named(list(t, dir, on(t, imageFor(t, dir, "two", "linux/amd64"), "linux/amd64"), inner), "v1")}
		}, "", "linux/amd64", "", "v1@sha256:"},
		{"variants: v8 is asked for, v7 and none are there", func(t *testing.T, dir string) []v1.Descriptor {
			return []v1.Descriptor{list(t, dir, on(t, imageFor(t, dir, "v7", "linux/arm/v7"), "linux/arm/v7"), on(t, imageFor(t, dir, "arm64", "linux/arm64"), "linux/arm64"))}
		}, "", "linux/arm64/v8", "arm64", ""},
	})
}

// An artifact is an error at any depth of indexes, even if its descriptor has the
// media type of an image.
func TestConfusionBelow(t *testing.T) {
	const manifest, list = v1.MediaTypeImageManifest, v1.MediaTypeImageIndex
	for name, c := range map[string]struct{ as, text string }{
		"a manifest with manifests":       {manifest, `{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}`},
		"an index with layers":            {list, `{"schemaVersion":2,"manifests":[],"layers":[]}`},
		"a manifest described as index":   {list, `{"schemaVersion":2,"mediaType":"` + manifest + `","layers":[]}`},
		"an index described as manifest":  {manifest, `{"schemaVersion":2,"mediaType":"` + list + `","manifests":[]}`},
		"an OCI manifest called Docker's": {manifest, `{"schemaVersion":2,"mediaType":"` + dockerManifest + `","layers":[]}`},
		"schema 1 called an OCI manifest": {manifest, `{"schemaVersion":1,"fsLayers":[],"history":[]}`},
		"keys in other letters":           {manifest, `{"schemaVersion":2,"config":{},"layers":[],"Manifests":[]}`},
		"a config called a manifest":      {manifest, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`},
	} {
		dir := t.TempDir()
		d := on(t, put(t, dir, c.as, []byte(c.text)), "linux/amd64")
		l := newLayout(t, dir, put(t, dir, list, index(d)))
		if _, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
			t.Errorf("%s: status %d: %v", name, status.Of(err), err)
		}
	}
}
