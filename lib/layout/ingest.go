// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/stage"
)

// partPath returns the path of the part file of a blob that is fetched.
func (w *Writer) partPath(d digest.Digest) string {
	return filepath.Join(w.dir, IngestDir, string(d.Algorithm())+"-"+d.Encoded()+".part")
}

// Ingest returns the path of the part file that a blob is fetched into, and the path
// that it is renamed to. It makes their directories.
func (w *Writer) Ingest(d digest.Digest) (part, blob string, err error) {
	if blob, err = w.blobPath(d); err != nil {
		return "", "", err
	}
	if err := w.CheckPlace(d); err != nil {
		return "", "", err
	}
	part = w.partPath(d)
	for _, path := range []string{part, blob} {
		if err := stage.MakeDir(filepath.Dir(path)); err != nil {
			return "", "", hintDenied(hintFull(err))
		}
	}
	return part, blob, nil
}

func hintDenied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hintWritable(err)
	}
	return err
}

// missing returns how many bytes of a blob must be written: none if it exists, and
// less if a part of it was fetched.
func (w *Writer) missing(d v1.Descriptor) (uint64, error) {
	path, err := w.blobPath(d.Digest)
	if err != nil {
		return 0, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == d.Size {
		return 0, nil
	}
	info, err := os.Stat(w.partPath(d.Digest))
	if err != nil {
		return uint64(d.Size), nil
	}
	return uint64(max(d.Size-allocated(info), 0)), nil
}

// allocated returns how many bytes of a file have space on the disk.
func allocated(info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return min(st.Blocks*512, info.Size())
}

// isOwn reports whether a file belongs to the user of this process.
func isOwn(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
