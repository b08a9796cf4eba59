// SPDX-License-Identifier: Apache-2.0

// Package layout reads and writes OCI image layouts on disk (image-spec,
// image-layout.md). Every blob is checked against its digest and size when it is
// read, and is written under a temporary name until it is complete.
package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/status"
)

// A Layout is an OCI image layout in a directory.
type Layout struct {
	dir  string
	name string // what messages call it
}

// Open opens the layout in a directory.
func Open(dir string) (*Layout, error) {
	raw, err := input.ReadFile(filepath.Join(dir, v1.ImageLayoutFile), maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, status.Errorf(status.NoInput, "%s: not an OCI image layout", dir)
	}
	if err != nil {
		return nil, err
	}
	var mark v1.ImageLayout
	if err := json.Unmarshal(raw, &mark); err != nil || mark.Version != v1.ImageLayoutVersion {
		return nil, status.Errorf(status.Bad, "%s/%s: unsupported version, not %s", dir, v1.ImageLayoutFile, v1.ImageLayoutVersion)
	}
	return &Layout{dir, dir}, nil
}

// Is reports whether a directory holds a layout.
func Is(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, v1.ImageLayoutFile))
	return err == nil
}

// Dir returns the layout's directory.
func (l *Layout) Dir() string { return l.dir }

// blobPath returns the path of a blob, or an error for a malformed digest.
func (l *Layout) blobPath(d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", status.Errorf(status.Bad, "digest %q: %w", string(d), err)
	}
	return filepath.Join(l.dir, v1.ImageBlobsDir, d.Algorithm().String(), d.Encoded()), nil
}

// Blob opens a blob. Its reader returns io.EOF only if the digest and size are
// those of the descriptor.
func (l *Layout) Blob(d v1.Descriptor) (io.ReadCloser, error) {
	f, err := l.open(d)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{Verify(f, d), f}, nil
}

// open opens the file of a blob.
func (l *Layout) open(d v1.Descriptor) (*os.File, error) {
	path, err := l.blobPath(d.Digest)
	if err != nil {
		return nil, err
	}
	f, err := input.Open(path) // a layout is untrusted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, status.Errorf(status.NoInput, "%s: blob %s not found", l.name, d.Digest)
	}
	if status.Of(err) == status.Bad {
		return nil, hintRemove(err, path)
	}
	return f, err
}

// CheckDocument returns an error if the descriptor of a manifest, an index or a
// config has a size of more than input.MaxDocument.
func CheckDocument(d v1.Descriptor) error {
	if d.Size > input.MaxDocument {
		return status.Errorf(status.Bad, "%s: document of %d bytes too large (limit %d)", d.Digest, d.Size, input.MaxDocument)
	}
	return nil
}

// maxIndex and maxIndexValues limit index.json, in bytes and in values. An image
// of the cache adds eight values.
const (
	maxIndex       = 64 << 20
	maxIndexValues = 1 << 19
)

// document reads a blob that is a JSON document.
func (l *Layout) document(d v1.Descriptor) ([]byte, error) {
	if err := CheckDocument(d); err != nil {
		return nil, err
	}
	r, err := l.Blob(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// index reads index.json.
func (l *Layout) index() (*v1.Index, error) {
	index, err := readIndex(filepath.Join(l.dir, v1.ImageIndexFile), filepath.Join(l.name, v1.ImageIndexFile))
	if status.Of(err) == status.Bad {
		err = status.Hint(err, "make the layout again; in the cache, banger-fetch makes a new index.json")
	}
	return index, err
}

// readIndex reads the index at a path. Messages about its content call it name.
func readIndex(path, name string) (*v1.Index, error) {
	raw, err := input.ReadFile(path, maxIndex)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	index := new(v1.Index)
	if err := input.Unmarshal(raw, index, maxIndexValues); err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", name, err)
	}
	if index.SchemaVersion != 2 {
		return nil, status.Errorf(status.Bad, "%s: unsupported schemaVersion %d", name, index.SchemaVersion)
	}
	if err := checkDescriptors(index.Manifests...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return index, nil
}

// emptyIndex returns the index of a layout without images.
func emptyIndex() *v1.Index {
	return &v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{},
	}
}
