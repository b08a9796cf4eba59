// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/status"
)

// Media types of Docker that correspond to those of OCI, and OCI's deprecated
// nondistributable layers.
const (
	dockerManifest  = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList      = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig    = "application/vnd.docker.container.image.v1+json"
	dockerLayer     = "application/vnd.docker.image.rootfs.diff.tar"
	dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	dockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	dockerForeign   = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

	ociForeign     = "application/vnd.oci.image.layer.nondistributable.v1.tar"
	ociForeignGzip = ociForeign + "+gzip"
	ociForeignZstd = ociForeign + "+zstd"
)

var (
	manifestTypes = set(v1.MediaTypeImageManifest, dockerManifest)
	indexTypes    = set(v1.MediaTypeImageIndex, dockerList)
	configTypes   = set(v1.MediaTypeImageConfig, dockerConfig)
	layerTypes    = set(v1.MediaTypeImageLayer, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd,
		dockerLayer, dockerLayerGzip, dockerLayerZstd, dockerForeign,
		ociForeign, ociForeignGzip, ociForeignZstd)
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// IsIndex reports whether a media type is that of an index.
func IsIndex(mediaType string) bool { return indexTypes[mediaType] }

// parse decodes a document of the media type in its descriptor. A document with
// another media type, or that is both a manifest and an index, is refused
// (CVE-2021-41190).
func parse(d v1.Descriptor, raw []byte, into any) error {
	var shape struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Layers    json.RawMessage `json:"layers"`
		Config    json.RawMessage `json:"config"`
	}
	if err := input.Unmarshal(raw, &shape, input.MaxValues); err != nil {
		return status.Errorf(status.Bad, "%s: %w", d.Digest, err)
	}
	isConfig := configTypes[d.MediaType] // its "config" is not a descriptor
	switch {
	case isConfig:
	case shape.MediaType != "" && shape.MediaType != d.MediaType:
		return status.Errorf(status.Bad, "%s: media type is %[3]s, descriptor has %[2]s", d.Digest, d.MediaType, shape.MediaType)
	case indexTypes[d.MediaType] && (shape.Layers != nil || shape.Config != nil),
		manifestTypes[d.MediaType] && shape.Manifests != nil:
		return status.Errorf(status.Bad, "%s: both a manifest and an index", d.Digest)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return status.Errorf(status.Bad, "%s: %w", d.Digest, err)
	}
	return nil
}

// isAttestation reports whether an entry of an index describes another entry.
func isAttestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] != "" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}
