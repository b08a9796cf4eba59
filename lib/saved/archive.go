// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/status"
	"banger/lib/tar"
)

// manifestFile is the file of docker save that lists the images.
const manifestFile = "manifest.json"

// documents are the files that are kept in memory.
var documents = []string{v1.ImageLayoutFile, v1.ImageIndexFile, manifestFile}

// Limits of an archive. Its names are held in memory.
const (
	maxFiles = 1 << 16
	maxName  = 1 << 10   // bytes
	maxMeta  = 512 << 20 // bytes of all names and extended headers
	maxSize  = 1 << 40   // bytes, uncompressed: as of the files of an image
)

// An archive holds the files of an archive by their names. Each name is in one of
// the maps.
type archive struct {
	pending   *layout.Pending
	checkRoom func(size int64) error
	documents map[string][]byte
	blobs     map[string]v1.Descriptor // digest and size
	links     map[string]string        // name to name
	meta      int64                    // bytes of names and extended headers that may follow
	size      int64                    // bytes that may follow
}

func newArchive(pending *layout.Pending, checkRoom func(size int64) error) *archive {
	return &archive{
		pending:   pending,
		checkRoom: checkRoom,
		documents: map[string][]byte{},
		blobs:     map[string]v1.Descriptor{},
		links:     map[string]string{},
		meta:      maxMeta,
		size:      maxSize,
	}
}

// add reads the files of a tar up to its end.
func (a *archive) add(ctx context.Context, r io.Reader) error {
	files := tar.NewReader(&limited{r, a.size})
	for {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return dataError(err)
		}
		if err := a.countMeta(h); err != nil {
			return err
		}
		if err := a.file(ctx, h, files); err != nil {
			return dataError(err)
		}
	}
	if !files.Terminated {
		return errTruncated
	}
	_, err := io.Copy(io.Discard, files.Rest()) // it may end in a checksum, and the writer waits
	return dataError(err)
}

// A limited reader fails after a number of bytes: a small compressed archive may unpack
// to files without end.
type limited struct {
	io.Reader
	left int64
}

func (l *limited) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, status.Errorf(status.Bad, "archive too large (limit %d bytes)", int64(maxSize))
	}
	return n, err
}

var errTruncated = status.Errorf(status.Bad, "truncated")

// dataError returns an error of reading an archive.
func dataError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return layer.DataError(err)
}

// countMeta counts the bytes of names and extended headers, also of files that are
// skipped.
func (a *archive) countMeta(h *tar.Header) error {
	if a.meta -= int64(len(h.Name)+len(h.Link)) + h.Extended; a.meta < 0 {
		return status.Errorf(status.Bad, "names and extended headers too large (limit %d bytes)", maxMeta)
	}
	return nil
}

// file adds one file. Files that no image needs are skipped.
func (a *archive) file(ctx context.Context, h *tar.Header, r io.Reader) error {
	if h.Type == tar.Global || h.Type == tar.Dir {
		return nil
	}
	name := path.Clean(h.Name)
	if !inside(name) {
		return status.Errorf(status.Bad, "%q: outside of the archive", h.Name)
	}
	want, isBlob := blobDigest(name)
	if !isBlob && strings.Count(name, "/") > 1 { // as in a root filesystem
		return nil
	}
	if len(name) > maxName || len(h.Link) > maxName {
		return status.Errorf(status.Bad, "%q: name too long (limit %d bytes)", name, maxName)
	}
	if len(a.documents)+len(a.blobs)+len(a.links) >= maxFiles {
		return status.Errorf(status.Bad, "too many files (limit %d)", maxFiles)
	}
	switch h.Type {
	case tar.File, tar.Contig:
		return a.content(ctx, name, want, h, r)
	case tar.Symlink:
		return a.link(name, path.Join(path.Dir(name), h.Link), path.IsAbs(h.Link))
	case tar.Link:
		return a.link(name, path.Clean(h.Link), path.IsAbs(h.Link))
	}
	return nil // a device or a FIFO, as in a root filesystem
}

// inside reports whether a clean path stays in the directory that it starts from.
func inside(name string) bool {
	return !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../")
}

// blobDigest returns the digest in the name of a blob, blobs/ALGORITHM/HEX.
func blobDigest(name string) (digest.Digest, bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 || parts[0] != v1.ImageBlobsDir {
		return "", false
	}
	d := digest.NewDigestFromEncoded(digest.Algorithm(parts[1]), parts[2])
	a := d.Algorithm()
	return d, (a == digest.SHA256 || a == digest.SHA512) && d.Validate() == nil
}

// content adds a regular file.
func (a *archive) content(ctx context.Context, name string, want digest.Digest, h *tar.Header, r io.Reader) error {
	if h.Sparse {
		return status.Errorf(status.Bad, "%q: sparse file; make the archive without --sparse", name)
	}
	if slices.Contains(documents, name) {
		return a.document(name, h.Size, r)
	}
	if err := a.checkRoom(h.Size); err != nil {
		return err
	}
	d, err := a.pending.Add(ctx, want, r)
	if err != nil {
		return err
	}
	if old, has := a.blobs[name]; a.has(name) && (!has || old.Digest != d.Digest) {
		return duplicate(name)
	}
	a.blobs[name] = d
	return nil
}

// document keeps a document in memory.
func (a *archive) document(name string, size int64, r io.Reader) error {
	if size > input.MaxDocument {
		return status.Errorf(status.Bad, "%s: document of %d bytes too large (limit %d)", name, size, input.MaxDocument)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if old, has := a.documents[name]; a.has(name) && (!has || string(old) != string(raw)) {
		return duplicate(name)
	}
	a.documents[name] = raw
	return nil
}

// link adds a link, a name for the file target. Links that lead out of the archive
// are refused when a layer needs them: a root filesystem has others.
func (a *archive) link(name, target string, absolute bool) error {
	if absolute {
		target = "/" + strings.TrimLeft(target, "/")
	}
	if old, has := a.links[name]; a.has(name) && (!has || old != target) {
		return duplicate(name)
	}
	a.links[name] = target
	return nil
}

func (a *archive) has(name string) bool {
	_, document := a.documents[name]
	_, blob := a.blobs[name]
	_, link := a.links[name]
	return document || blob || link
}

func duplicate(name string) error {
	return status.Errorf(status.Bad, "%q: two files of this name", name)
}

// maxLinks limits how many links lead to a file.
const maxLinks = 8

// find returns the file that a name in manifest.json leads to.
func (a *archive) find(name string) (v1.Descriptor, error) {
	at := path.Clean(name)
	for range maxLinks {
		if d, has := a.blobs[at]; has {
			return d, nil
		}
		target, has := a.links[at]
		switch {
		case !has:
			return v1.Descriptor{}, status.Errorf(status.Bad, "%s: %q is not in the archive", manifestFile, at)
		case !inside(target):
			return v1.Descriptor{}, status.Errorf(status.Bad, "%q: link to %q, outside of the archive", at, target)
		}
		at = target
	}
	return v1.Descriptor{}, status.Errorf(status.Bad, "%q: too many links (limit %d)", name, maxLinks)
}
