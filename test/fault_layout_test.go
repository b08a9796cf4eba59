// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// refName is the annotation of an image's name in index.json.
const refName = "org.opencontainers.image.ref.name"

// cacheGood fails the test unless the OCI layout, if it exists, is valid:
// every blob matches its digest, and every listed manifest has all its blobs.
// It returns the listed manifests, sorted, a line each: digest and name.
func cacheGood(t testing.TB, dir string) string {
	t.Helper()
	blobsGood(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatalf("index.json: %v\n%s", err, b)
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil && len(index.Manifests) > 0 {
		t.Errorf("an index with images, but %v", err)
	}
	var lines []string
	for _, d := range index.Manifests {
		manifestGood(t, dir, d)
		lines = append(lines, fmt.Sprintf("%s %s\n", d.Digest, d.Annotations[refName]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func blobsGood(t testing.TB, dir string) {
	t.Helper()
	blobs := filepath.Join(dir, "blobs/sha256")
	walk(t, blobs, func(path string, e fs.DirEntry) error {
		if path == blobs || temporary.MatchString(e.Name()) {
			return nil
		}
		if sum, err := hashOf(path); err != nil || sum != e.Name() {
			t.Errorf("blob %s has sha256 %s, %v", path, sum, err)
		}
		return nil
	})
}

func manifestGood(t testing.TB, dir string, d v1.Descriptor) {
	t.Helper()
	b, err := os.ReadFile(blobPath(dir, d.Digest.String()))
	if err != nil {
		t.Errorf("a listed manifest is missing: %v", err)
		return
	}
	var m v1.Manifest
	if err := json.Unmarshal(b, &m); err != nil || len(m.Layers) == 0 {
		t.Errorf("manifest %s: %v\n%s", d.Digest, err, b)
	}
	for _, d := range append(m.Layers, m.Config) {
		if info, err := os.Stat(blobPath(dir, d.Digest.String())); err != nil || info.Size() != d.Size {
			t.Errorf("a blob of a listed manifest: %v, want %d bytes", err, d.Size)
		}
	}
}

func blobPath(layout, digest string) string {
	return filepath.Join(layout, "blobs", strings.Replace(digest, ":", "/", 1))
}
