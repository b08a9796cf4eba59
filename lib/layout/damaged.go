// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// indexToChange reads index.json under the lock. If the file is damaged, it is
// renamed and an empty index is returned: blobs are found by their digest, not
// by the index. If the writer is killed after the rename, the next writer makes
// a new index.
func (w *Writer) indexToChange() (*v1.Index, error) {
	index, err := w.index()
	if err == nil || !isDamage(err) {
		return index, err
	}
	aside, renamed := setAside(filepath.Join(w.dir, v1.ImageIndexFile))
	switch {
	case errors.Is(renamed, fs.ErrNotExist): // no file to rename
	case renamed != nil:
		return nil, status.With(status.Create, renamed)
	default:
		w.warn(fmt.Sprintf("%v: renamed to %s; fetch its images again to list them, no blob is downloaded again", err, aside))
	}
	return emptyIndex(), nil
}

// isDamage reports whether err is about index.json itself rather than the disk
// or a permission. A symlink may be dangling or a loop, and a socket cannot be
// opened.
func isDamage(err error) bool {
	return status.Of(err) == status.Bad || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)
}

// setAside renames a file of any type to PATH.damaged-N, the first such name
// that is free.
func setAside(path string) (aside string, err error) {
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, n)
		err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, aside, unix.RENAME_NOREPLACE)
		if err == nil {
			return aside, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return "", &os.LinkError{Op: "rename", Old: path, New: aside, Err: err}
		}
	}
}
