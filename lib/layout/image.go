// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// An Image is an image for one platform, its documents read and checked.
type Image struct {
	Manifest  v1.Descriptor
	Config    v1.Image
	RawConfig []byte  // the bytes of the config
	Layers    []Layer // oldest first

	layout *Layout
	hold   io.Closer // nil for none
}

// Touch is Touch of the image's layout, for its manifest.
func (i *Image) Touch() { i.layout.Touch(i.Manifest.Digest) }

// Close releases the lock of an image that Image or Held returned. It does nothing for
// nil.
func (i *Image) Close() {
	if i != nil && i.hold != nil {
		i.hold.Close()
	}
}

// A Layer is one layer of an image.
type Layer struct {
	v1.Descriptor
	DiffID digest.Digest // of the uncompressed blob
	layout *Layout
}

// Open opens the layer's blob, as Layout.Blob does.
func (l Layer) Open() (io.ReadCloser, error) { return l.layout.Blob(l.Descriptor) }

// Image returns the image for a reference and a platform, and locks it as Hold
// does: the caller must close it. The platform is not checked if the reference has
// the digest of the image's own manifest, as banger-fetch prints it.
func (l *Layout) Image(ctx context.Context, r Ref, want v1.Platform) (*Image, error) {
	d, err := l.find(r, want)
	if err != nil {
		return nil, err
	}
	if r.Digest == d.Digest {
		want = v1.Platform{}
	}
	return l.Held(ctx, d, want)
}

// Held is Read, and locks the image as Hold does: the caller must close it.
func (l *Layout) Held(ctx context.Context, d v1.Descriptor, want v1.Platform) (*Image, error) {
	hold, err := l.Hold(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	image, err := l.Read(d, want)
	if err != nil {
		hold.Close()
		return nil, err
	}
	image.hold = hold
	return image, nil
}

// Read reads the documents of an image and checks its platform, unless want is
// empty.
func (l *Layout) Read(d v1.Descriptor, want v1.Platform) (*Image, error) {
	manifest, err := l.Manifest(d)
	if err != nil {
		return nil, err
	}
	img := &Image{Manifest: d, layout: l}
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

// Manifest reads a manifest. One that is not a container image's is refused.
func (l *Layout) Manifest(d v1.Descriptor) (*v1.Manifest, error) {
	if !manifestTypes[d.MediaType] {
		return nil, status.Errorf(status.Bad, "%s: not an image: media type %q", d.Digest, d.MediaType)
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
		return nil, status.Errorf(status.Bad, "%s: unsupported manifest schemaVersion %d", d.Digest, m.SchemaVersion)
	case m.ArtifactType != "" || !configTypes[m.Config.MediaType]:
		kind := m.ArtifactType
		if kind == "" {
			kind = m.Config.MediaType
		}
		return nil, status.Errorf(status.Bad, "%s: artifact of type %q: %w", d.Digest, kind, errNotImage)
	}
	if err := checkDescriptors(append(m.Layers, m.Config)...); err != nil {
		return nil, err
	}
	return m, CheckDocument(m.Config)
}

var errNotImage = errors.New("not an image")

// checkDescriptors returns an error for a malformed digest or a negative size.
func checkDescriptors(all ...v1.Descriptor) error {
	for _, d := range all {
		if err := checkDigest("digest", d.Digest); err != nil {
			return err
		}
		if d.Size < 0 {
			return status.Errorf(status.Bad, "%s: invalid size %d", d.Digest, d.Size)
		}
	}
	return nil
}

// checkDigest returns an error for a malformed digest and for an algorithm that
// image-spec does not register.
func checkDigest(what string, d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return status.Errorf(status.Bad, "%s %q: %w", what, string(d), err)
	}
	if a := d.Algorithm(); a != digest.SHA256 && a != digest.SHA512 {
		return status.Errorf(status.Bad, "%s %s: unsupported algorithm, not sha256 or sha512", what, d)
	}
	return nil
}

// check compares the config with the manifest and the platform want.
func (i *Image) check(m *v1.Manifest, want v1.Platform) error {
	got := i.Config.Platform
	switch {
	case i.Config.RootFS.Type != "layers":
		return status.Errorf(status.Bad, "%s: unsupported rootfs type %q", i.Manifest.Digest, i.Config.RootFS.Type)
	case len(i.Config.RootFS.DiffIDs) != len(m.Layers):
		return status.Errorf(status.Bad, "%s: %d layers, %d DiffIDs",
			i.Manifest.Digest, len(m.Layers), len(i.Config.RootFS.DiffIDs))
	case got.OS != "" && got.OS != "linux":
		return status.Errorf(status.Bad, "%s: image for %s, not linux", i.Manifest.Digest, got.OS)
	case want.OS != "" && got.OS != "" && got.Architecture != "" && got.Architecture != want.Architecture:
		return wrongPlatform(want, []v1.Platform{got})
	}
	for _, d := range i.Config.RootFS.DiffIDs {
		if err := checkDigest("DiffID", d); err != nil {
			return err
		}
	}
	return CheckLayers(m)
}

// CheckLayers returns an error for a layer of an unknown media type.
func CheckLayers(m *v1.Manifest) error {
	for _, layer := range m.Layers {
		if !layerTypes[layer.MediaType] {
			return status.Errorf(status.Bad, "layer %s: unknown media type %q", layer.Digest, layer.MediaType)
		}
	}
	return nil
}

// Platform returns the platform in the config, as PlatformString.
func (i *Image) Platform() string { return PlatformString(i.Config.Platform) }

// wrongPlatform returns an error that lists the platforms there are. Its hint
// names the first of them that ParsePlatform accepts.
func wrongPlatform(want v1.Platform, have []v1.Platform) error {
	var names []string
	for _, p := range have {
		names = append(names, PlatformString(p))
	}
	err := status.Errorf(status.NoInput, "no image for %s, only %s", PlatformString(want), strings.Join(names, ", "))
	for _, name := range names {
		if _, e := ParsePlatform(name); e == nil {
			return status.Hint(err, "--platform %s", name)
		}
	}
	return err
}
