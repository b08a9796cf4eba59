// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/sparse"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Writer adds blobs and names to a layout. Several may write to one layout at
// the same time. The temporary directory of a killed writer is removed by the
// next one.
type Writer struct {
	*Layout
	stage *stage.Stage
	last  atomic.Int64
	warn  func(string)
}

// NewWriter opens the cache's layout for writing, and makes it if it does not
// exist. A damaged index.json is renamed and reported to warn.
func NewWriter(dir string, warn func(string)) (*Writer, error) {
	err := os.MkdirAll(filepath.Join(dir, v1.ImageBlobsDir, "sha256"), 0o777)
	if err != nil {
		return nil, hintWritable(status.CreateError(err))
	}
	s, err := stage.NewDir(filepath.Join(dir, "fetch"), stage.Options{})
	if err != nil {
		return nil, hintWritable(err)
	}
	w := &Writer{Layout: &Layout{dir}, stage: s, warn: warn}
	if err := w.initialize(); err != nil {
		s.Discard()
		return nil, err
	}
	return w, nil
}

func hintWritable(err error) error {
	return status.Hint(err, "set XDG_CACHE_HOME to a directory that can be written")
}

// Close removes the temporary directory.
func (w *Writer) Close() { w.stage.Discard() }

// initialize writes the files that make a directory a layout.
func (w *Writer) initialize() error {
	unlock, err := w.lock()
	if err != nil {
		return err
	}
	defer unlock()
	index, err := w.indexToChange()
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, v1.ImageIndexFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := w.writeJSON(path, index); err != nil {
			return err
		}
	}
	if Is(w.dir) {
		_, err := Open(w.dir)
		return err
	}
	return w.writeJSON(filepath.Join(w.dir, v1.ImageLayoutFile), v1.ImageLayout{Version: v1.ImageLayoutVersion})
}

// lock locks the index for other writers until unlock is called. Readers need no
// lock: the index is replaced by rename.
func (w *Writer) lock() (unlock func(), err error) {
	dir, err := os.Open(w.dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		dir.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	return func() { dir.Close() }, nil
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
	tmp := filepath.Join(w.stage.Path, strconv.FormatInt(w.last.Add(1), 10))
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	defer f.Close()
	if err := write(f); err != nil {
		return hintFull(err)
	}
	if err := f.Sync(); err != nil {
		return hintFull(err)
	}
	if err := os.Rename(tmp, path); err != nil {
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
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return w.put(path, func(f io.Writer) error {
		_, err := io.Copy(f, Verify(r, d))
		return err
	})
}

// Has reads a blob and reports whether it has the digest and size of d.
func (w *Writer) Has(ctx context.Context, d v1.Descriptor) bool {
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
