// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// An Image is one platform's image, its documents read and checked.
type Image struct {
	Manifest  v1.Descriptor
	Config    v1.Image
	RawConfig []byte  // the config, byte for byte
	Layers    []Layer // oldest first
}

// A Layer is one layer of an image.
type Layer struct {
	v1.Descriptor
	DiffID digest.Digest // of what the blob holds uncompressed
	layout *Layout
}

// Open opens the layer's blob, which reads as Layout.Blob says.
func (l Layer) Open() (io.ReadCloser, error) { return l.layout.Blob(l.Descriptor) }

// Image finds the one image that a reference and a platform mean. A digest of
// the image's own manifest, which banger-fetch prints, leaves no choice: the
// platform is then the image's.
func (l *Layout) Image(r Ref, want v1.Platform) (*Image, error) {
	d, err := l.find(r, want)
	if err != nil {
		return nil, err
	}
	if r.Digest == d.Digest {
		want = v1.Platform{}
	}
	return l.Read(d, want)
}

// Read reads the documents of an image.
func (l *Layout) Read(d v1.Descriptor, want v1.Platform) (*Image, error) {
	manifest, err := l.Manifest(d)
	if err != nil {
		return nil, err
	}
	img := &Image{Manifest: d}
	if img.RawConfig, err = l.config(manifest, &img.Config); err != nil {
		return nil, err
	}
	if err := img.check(manifest, want); err != nil {
		return nil, err
	}
	for i, layer := range manifest.Layers {
		img.Layers = append(img.Layers, Layer{layer, img.Config.RootFS.DiffIDs[i], l})
	}
	return img, nil
}

// Manifest reads a manifest and refuses what is no container image.
func (l *Layout) Manifest(d v1.Descriptor) (*v1.Manifest, error) {
	if !manifestTypes[d.MediaType] {
		return nil, status.Errorf(status.Bad, "%s: a %q is not an image", d.Digest, d.MediaType)
	}
	raw, err := l.document(d)
	if err != nil {
		return nil, err
	}
	m := new(v1.Manifest)
	if err := parse(d, raw, m); err != nil {
		return nil, err
	}
	switch {
	case m.SchemaVersion != 2:
		return nil, status.Errorf(status.Bad, "%s: manifest of schemaVersion %d", d.Digest, m.SchemaVersion)
	case m.ArtifactType != "" || !configTypes[m.Config.MediaType]:
		kind := m.ArtifactType
		if kind == "" {
			kind = m.Config.MediaType
		}
		return nil, status.Errorf(status.Bad, "%s: an artifact of type %q: %w", d.Digest, kind, errNotImage)
	}
	if err := checkDescriptors(append(m.Layers, m.Config)...); err != nil {
		return nil, err
	}
	return m, CheckDocument(m.Config)
}

var errNotImage = errors.New("not an image")

// checkDescriptors refuses digests that are not well formed, before they are
// taken apart, and sizes that cannot be.
func checkDescriptors(all ...v1.Descriptor) error {
	for _, d := range all {
		if err := checkDigest("digest", d.Digest); err != nil {
			return err
		}
		if d.Size < 0 {
			return status.Errorf(status.Bad, "%s: a size of %d", d.Digest, d.Size)
		}
	}
	return nil
}

// checkDigest refuses a digest that is not well formed, or not of an algorithm
// that the image-spec has.
func checkDigest(what string, d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return status.Errorf(status.Bad, "%s %q: %w", what, string(d), err)
	}
	if a := d.Algorithm(); a != digest.SHA256 && a != digest.SHA512 {
		return status.Errorf(status.Bad, "%s %s: neither sha256 nor sha512", what, d)
	}
	return nil
}

// check holds the config against the manifest and the platform asked for.
func (i *Image) check(m *v1.Manifest, want v1.Platform) error {
	got := i.Config.Platform
	switch {
	case i.Config.RootFS.Type != "layers":
		return status.Errorf(status.Bad, "%s: rootfs of type %q", i.Manifest.Digest, i.Config.RootFS.Type)
	case len(i.Config.RootFS.DiffIDs) != len(m.Layers):
		return status.Errorf(status.Bad, "%s: %d layers, %d DiffIDs",
			i.Manifest.Digest, len(m.Layers), len(i.Config.RootFS.DiffIDs))
	case got.OS != "" && got.OS != "linux":
		return status.Errorf(status.Bad, "%s: an image for %s", i.Manifest.Digest, got.OS)
	case want.OS != "" && got.OS != "" && got.Architecture != "" && got.Architecture != want.Architecture:
		return wrongPlatform(want, []v1.Platform{got})
	}
	for n, layer := range m.Layers {
		if !layerTypes[layer.MediaType] {
			return status.Errorf(status.Bad, "layer %s: unknown type %q", layer.Digest, layer.MediaType)
		}
		if err := checkDigest("DiffID", i.Config.RootFS.DiffIDs[n]); err != nil {
			return err
		}
	}
	return nil
}

// Platform returns what the image says it runs on.
func (i *Image) Platform() string { return PlatformString(i.Config.Platform) }

// wrongPlatform says what there is instead of what was asked for.
func wrongPlatform(want v1.Platform, have []v1.Platform) error {
	var names []string
	for _, p := range have {
		names = append(names, PlatformString(p))
	}
	err := status.Errorf(status.NoInput, "no image for %s, only %s", PlatformString(want), strings.Join(names, ", "))
	return status.Hint(err, "--platform %s", names[0])
}
