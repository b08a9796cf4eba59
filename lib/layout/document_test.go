// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// Anything but a container image for Linux is refused with its type.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*parts)
		want string
	}{
		{"an artifact by its type", func(p *parts) { p.manifest.ArtifactType = "application/vnd.example" }, "application/vnd.example"},
		{"an artifact by its config", func(p *parts) { p.manifest.Config.MediaType = v1.MediaTypeEmptyJSON }, "artifact"},
		{"a helm chart", func(p *parts) { p.manifest.Config.MediaType = "application/vnd.cncf.helm.config.v1+json" }, "helm"},
		{"Docker schema 1", func(p *parts) { p.manifest.MediaType = "application/vnd.docker.distribution.manifest.v1+json" }, "manifest.v1"},
		{"schema 1 in disguise", func(p *parts) { p.manifest.SchemaVersion = 1 }, "schemaVersion 1"},
		{"a windows image", func(p *parts) { p.config.OS = "windows" }, "windows"},
		{"an unknown layer type", func(p *parts) { p.manifest.Layers[0].MediaType = "application/x-tar" }, "application/x-tar"},
		{"an encrypted layer", func(p *parts) { p.manifest.Layers[0].MediaType += "+gzip+encrypted" }, "encrypted"},
		{"fewer DiffIDs than layers", func(p *parts) { p.config.RootFS.DiffIDs = nil }, "1 layers, 0 DiffIDs"},
		{"more DiffIDs than layers", func(p *parts) { p.manifest.Layers = nil }, "0 layers, 1 DiffIDs"},
		{"a malformed DiffID", func(p *parts) { p.config.RootFS.DiffIDs[0] = "sha256:x" }, "sha256:x"},
		{"no rootfs", func(p *parts) { p.config.RootFS.Type = "" }, "rootfs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l := newLayout(t, dir, imageFor(t, dir, "x", "linux/amd64", c.edit))
			_, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64"))
			if err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad {
				t.Errorf("status %d: %v; want %s", status.Of(err), err, c.want)
			}
		})
	}
}

// A malformed digest never becomes a path.
func TestMalformedDigests(t *testing.T) {
	for _, d := range []digest.Digest{"", "nonsense", "sha256:short", "sha256:../../../../etc/passwd"} {
		for where, image := range map[string]func(dir string) v1.Descriptor{
			"of a manifest": func(dir string) v1.Descriptor {
				m := imageFor(t, dir, "x", "linux/amd64")
				m.Digest = d
				return m
			},
			"of a layer": func(dir string) v1.Descriptor {
				return imageFor(t, dir, "x", "linux/amd64", func(p *parts) { p.manifest.Layers[0].Digest = d })
			},
		} {
			dir := t.TempDir()
			_, err := newLayout(t, dir, image(dir)).Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64"))
			if status.Of(err) != status.Bad {
				t.Errorf("%q %s: status %d: %v", d, where, status.Of(err), err)
			}
		}
	}
}

// All media types of images are accepted.
func TestMediaTypes(t *testing.T) {
	for _, mediaType := range []string{
		"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
	} {
		dir := t.TempDir()
		d := imageFor(t, dir, "x", "linux/amd64", func(p *parts) {
			p.manifest.MediaType = "application/vnd.docker.distribution.manifest.v2+json"
			p.manifest.Config.MediaType = "application/vnd.docker.container.image.v1+json"
			p.manifest.Layers[0].MediaType = mediaType
		})
		if _, err := newLayout(t, dir, d).Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); err != nil {
			t.Errorf("%s: %v", mediaType, err)
		}
	}
}

// A document that is both a manifest and an index is refused.
func TestConfusion(t *testing.T) {
	const manifest, list = v1.MediaTypeImageManifest, v1.MediaTypeImageIndex
	for name, c := range map[string]struct{ as, text string }{
		"a manifest with manifests":      {manifest, `{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}`},
		"an index with layers":           {list, `{"schemaVersion":2,"manifests":[],"layers":[]}`},
		"an index with a config":         {list, `{"schemaVersion":2,"manifests":[],"config":{}}`},
		"an index described as manifest": {manifest, `{"schemaVersion":2,"mediaType":"` + list + `","manifests":[]}`},
		"a manifest described as index":  {list, `{"schemaVersion":2,"mediaType":"` + manifest + `","layers":[]}`},
		"no JSON":                        {manifest, `hello`},
		"more than JSON":                 {manifest, `{"schemaVersion":2} {}`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := newLayout(t, dir, put(t, dir, c.as, []byte(c.text)))
			if _, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
				t.Errorf("CVE-2021-41190: status %d: %v", status.Of(err), err)
			}
		})
	}
}

// Documents are limited in size and checked against digest and size.
func TestDamagedDocuments(t *testing.T) {
	for name, damage := range map[string]func(path string, d *v1.Descriptor) error{
		"another byte": func(path string, _ *v1.Descriptor) error {
			return rewrite(path, func(b []byte) []byte { b[9] ^= 1; return b })
		},
		"a byte less": func(path string, _ *v1.Descriptor) error {
			return rewrite(path, func(b []byte) []byte { return b[1:] })
		},
		"a byte more": func(path string, _ *v1.Descriptor) error {
			return rewrite(path, func(b []byte) []byte { return append(b, ' ') })
		},
		"another size": func(_ string, d *v1.Descriptor) error { d.Size--; return nil },
		"no size":      func(_ string, d *v1.Descriptor) error { d.Size = 0; return nil },
		"5 MiB":        func(_ string, d *v1.Descriptor) error { d.Size = 5 << 20; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := imageFor(t, dir, "x", "linux/amd64")
			if err := damage(filepath.Join(dir, "blobs", "sha256", d.Digest.Encoded()), &d); err != nil {
				t.Fatal(err)
			}
			l := newLayout(t, dir, d)
			if _, err := l.Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
				t.Errorf("status %d: %v", status.Of(err), err)
			}
		})
	}
}

func rewrite(path string, edit func([]byte) []byte) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, edit(raw), 0o666)
}

func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		mark string
		want status.Code
	}{
		"1.0.0": {`{"imageLayoutVersion":"1.0.0"}`, status.OK},
		"2.0.0": {`{"imageLayoutVersion":"2.0.0"}`, status.Bad},
		"empty": {``, status.Bad},
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "oci-layout"), []byte(c.mark))
		if _, err := Open(dir); status.Of(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); status.Of(err) != status.NoInput {
		t.Errorf("no layout: %v", err)
	}
}
