// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/sparse"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Writer adds blobs and names to a layout. Several may write to one layout at
// the same time. The temporary directory of a killed writer is removed by the
// next one.
type Writer struct {
	*Layout
	last atomic.Int64
	warn func(string)
	full bool // there was no space for the temporary directory

	mu     sync.Mutex
	stage  *stage.Stage // nil until something is written
	leased map[digest.Digest]bool
}

// stageName is the name in the temporary names of writers' directories.
const stageName = "fetch"

// NewWriter opens the cache's layout for writing, and makes it if it does not
// exist. A damaged index.json is renamed and reported to warn. In a layout that is
// complete, nothing is written and locked until a method needs it, so a user who may
// only read it can use what it has.
func NewWriter(ctx context.Context, dir string, warn func(string)) (*Writer, error) {
	w := (&Layout{dir, dir}).Writer(warn)
	if err := stage.MakeDir(filepath.Join(dir, v1.ImageBlobsDir, "sha256")); err != nil {
		return nil, hintWritable(status.CreateError(err))
	}
	stage.Sweep(dir)
	if Is(dir) {
		if _, err := Open(dir); err != nil {
			return nil, err
		}
		if _, err := w.index(); err == nil {
			return w, nil
		}
	}
	if err := w.initialize(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// staged returns the temporary directory, which it makes when it is first called.
func (w *Writer) staged() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stage == nil {
		s, err := stage.NewDir(filepath.Join(w.dir, stageName), stage.Options{Mode: 0o777}) // others read the lease
		if err == nil {
			err = w.share(s.Path)
		}
		if err != nil {
			return "", hintWritable(err)
		}
		w.stage = s
	}
	return w.stage.Path, nil
}

func hintWritable(err error) error {
	return status.Hint(err, "set XDG_CACHE_HOME to a directory that can be written")
}

// Close removes the temporary directory, and with it the lease.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stage != nil {
		w.stage.Discard()
	}
}

// initialize writes the files that make a directory a layout.
func (w *Writer) initialize(ctx context.Context) error {
	return w.change(ctx, func(index *v1.Index) error {
		if _, err := os.Stat(filepath.Join(w.dir, v1.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
			if err := w.SetIndex(index); err != nil {
				return err
			}
		}
		if Is(w.dir) {
			_, err := Open(w.dir)
			return err
		}
		return w.writeJSON(filepath.Join(w.dir, v1.ImageLayoutFile), v1.ImageLayout{Version: v1.ImageLayoutVersion})
	})
}

// IsBegun reports whether a directory is a layout that NewWriter has not completed, as it
// was killed or the disk was full: oci-layout is written last. A layout that lacks only
// that and lists images is damaged instead.
func IsBegun(dir string) bool {
	files, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, f := range files {
		if name := f.Name(); name != v1.ImageBlobsDir && name != v1.ImageIndexFile && !stage.IsTemporary(name) {
			return false
		}
	}
	index, err := (&Layout{dir, dir}).index()
	return isMissing(err) || err == nil && len(index.Manifests) == 0
}

// writeJSON replaces a file by rename.
func (w *Writer) writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.put(path, func(f io.Writer) error {
		_, err := f.Write(append(raw, '\n'))
		return err
	})
}

// put writes a file under a temporary name, syncs it and renames it to path,
// which it replaces.
func (w *Writer) put(path string, write func(io.Writer) error) error {
	f, err := w.newFile()
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return hintFull(err)
	}
	if err := f.Sync(); err != nil {
		return hintFull(err)
	}
	if err := w.share(f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return stage.SyncPath(filepath.Dir(path))
}

// PutBlob writes a blob from r, which must have the digest and size of d.
func (w *Writer) PutBlob(d v1.Descriptor, r io.Reader) error {
	path, err := w.blobPath(d.Digest)
	if err != nil {
		return err
	}
	if err := w.CheckPlace(d.Digest); err != nil {
		return err
	}
	if err := stage.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return w.put(path, func(f io.Writer) error {
		_, err := io.Copy(f, Verify(r, d))
		return err
	})
}

// Has reports whether the layout has a blob with the digest and size of d. It reads the
// blob, unless that is larger than a document and belongs to the user: then it is trusted
// by its size, because whoever reads it checks it.
func (w *Writer) Has(ctx context.Context, d v1.Descriptor) bool {
	if path, err := w.blobPath(d.Digest); err == nil && d.Size > input.MaxDocument {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && isOwn(info) {
			return info.Size() == d.Size
		}
	}
	r, err := w.Blob(d)
	if err != nil {
		return false
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, sparse.Interruptible(ctx, r))
	return err == nil
}

// Describe returns the descriptor of a manifest or index in the layout.
func (w *Writer) Describe(d digest.Digest) (v1.Descriptor, error) {
	path, err := w.blobPath(d)
	if err != nil {
		return v1.Descriptor{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return v1.Descriptor{}, err
	}
	desc := v1.Descriptor{Digest: d, Size: info.Size()}
	raw, err := w.document(desc)
	if err == nil {
		desc.MediaType, err = mediaType(raw)
	}
	return desc, err
}

// DocumentTypes returns the media types of manifests and indexes.
func DocumentTypes() []string {
	return append(slices.Sorted(maps.Keys(indexTypes)), slices.Sorted(maps.Keys(manifestTypes))...)
}

// MediaType returns the media type of a manifest or index that a server sent with a
// field Content-Type. If that names no kind of document, the document says what it is.
func MediaType(contentType string, raw []byte) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		t = ""
	}
	switch t {
	case "", "application/json", "application/octet-stream", "text/plain":
		if own, err := mediaType(raw); err == nil {
			return own
		}
	}
	return t
}

// mediaType returns the media type of a manifest or index. OCI documents need
// not contain it.
func mediaType(raw []byte) (string, error) {
	var shape struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return "", status.With(status.Bad, err)
	}
	switch {
	case shape.MediaType != "":
		return shape.MediaType, nil
	case shape.Manifests != nil:
		return v1.MediaTypeImageIndex, nil
	}
	return v1.MediaTypeImageManifest, nil
}
