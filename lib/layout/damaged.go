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

// indexToChange reads index.json, which may be missing, under the lock. A
// damaged one is renamed, and the index is empty: blobs are found by their
// digest, not by the index. A writer that is killed in between leaves a layout
// without an index, which the next one makes.
func (w *Writer) indexToChange() (*v1.Index, error) {
	index, err := w.index()
	if err == nil || !isDamage(err) {
		return index, err
	}
	aside, renamed := setAside(filepath.Join(w.dir, v1.ImageIndexFile))
	switch {
	case errors.Is(renamed, fs.ErrNotExist): // nothing was there
	case renamed != nil:
		return nil, status.With(status.Create, renamed)
	default:
		w.warn(fmt.Sprintf("%v: renamed to %s; fetch the images that it listed again, nothing is downloaded twice", err, aside))
	}
	return emptyIndex(), nil
}

// isDamage tells what is wrong with index.json itself from errors of the disk
// and of permission. A symlink may lead nowhere or to itself, and a socket
// cannot be opened.
func isDamage(err error) bool {
	return status.Of(err) == status.Bad || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)
}

// setAside renames a file, or whatever it is, to PATH.damaged-N, the first such
// name that is free.
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
