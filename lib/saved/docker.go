// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/layout"
	"banger/lib/status"
)

// An item is an image in the manifest.json of docker save (moby, image/tarexport).
type item struct {
	Config   string
	RepoTags []string
	Layers   []string // oldest first
}

// convert returns an index for manifest.json. It makes a manifest for each image:
// its layers are the files of the archive, usually uncompressed, so that the digest
// is the DiffID. The same image gives the same bytes.
func (a *archive) convert(ctx context.Context, raw []byte) ([]byte, error) {
	var items []item
	if err := input.Unmarshal(raw, &items, input.MaxValues); err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", manifestFile, err)
	}
	manifests, err := a.manifests(ctx, items)
	if err != nil {
		return nil, err
	}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	for n, i := range items {
		d := manifests[n]
		if len(i.RepoTags) == 0 {
			index.Manifests = append(index.Manifests, d)
		}
		for _, tag := range i.RepoTags {
			d.Annotations = map[string]string{containerdName: tag}
			index.Manifests = append(index.Manifests, d)
		}
	}
	return json.Marshal(index)
}

// manifests makes the manifests of images and returns their descriptors. A config that
// many images have is read once, and one config is held in memory at a time.
func (a *archive) manifests(ctx context.Context, items []item) ([]v1.Descriptor, error) {
	configs, byConfig := make([]v1.Descriptor, len(items)), make([]int, len(items))
	for n, i := range items {
		var err error
		if configs[n], err = a.find(i.Config); err != nil {
			return nil, err
		}
		byConfig[n] = n
	}
	slices.SortStableFunc(byConfig, func(m, n int) int { return cmp.Compare(configs[m].Digest, configs[n].Digest) })
	all := make([]v1.Descriptor, len(items))
	var read digest.Digest
	var diffIDs []digest.Digest
	for _, n := range byConfig {
		var err error
		if d := configs[n].Digest; d != read {
			if diffIDs, err = a.diffIDs(configs[n]); err != nil {
				return nil, err
			}
			read = d
		}
		if all[n], err = a.manifest(ctx, items[n], configs[n], diffIDs); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// manifest makes the manifest of an image and returns its descriptor.
func (a *archive) manifest(ctx context.Context, i item, config v1.Descriptor, diffIDs []digest.Digest) (v1.Descriptor, error) {
	config.MediaType = v1.MediaTypeImageConfig
	if len(diffIDs) != len(i.Layers) {
		return config, status.Errorf(status.Bad, "%s: %d layers, %d DiffIDs", i.Config, len(i.Layers), len(diffIDs))
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: config, Layers: []v1.Descriptor{}}
	for n, name := range i.Layers {
		d, err := a.layer(name, diffIDs[n])
		if err != nil {
			return d, err
		}
		m.Layers = append(m.Layers, d)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return config, err
	}
	d, err := a.pending.Add(ctx, "", bytes.NewReader(raw))
	d.MediaType = v1.MediaTypeImageManifest
	return d, err
}

// diffIDs reads the DiffIDs in a config.
func (a *archive) diffIDs(config v1.Descriptor) ([]digest.Digest, error) {
	if err := layout.CheckDocument(config); err != nil {
		return nil, err
	}
	r, err := a.pending.Blob(config)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var image v1.Image
	if err := input.Unmarshal(raw, &image, input.MaxValues); err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", config.Digest, err)
	}
	return image.RootFS.DiffIDs, nil
}

// layer returns the descriptor of a layer, whose file is uncompressed, gzip or zstd.
func (a *archive) layer(name string, diffID digest.Digest) (v1.Descriptor, error) {
	d, err := a.find(name)
	if err != nil {
		return d, err
	}
	if d.MediaType = v1.MediaTypeImageLayer; d.Digest == diffID {
		return d, nil
	}
	r, err := a.pending.Blob(d)
	if err != nil {
		return d, err
	}
	defer r.Close()
	magic := make([]byte, 4)
	io.ReadFull(r, magic)
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		d.MediaType = v1.MediaTypeImageLayerGzip
	case string(magic) == "\x28\xb5\x2f\xfd":
		d.MediaType = v1.MediaTypeImageLayerZstd
	default:
		return d, status.Errorf(status.Bad, "%q: layer has the digest %s, its DiffID is %s", name, d.Digest, diffID)
	}
	return d, nil
}
