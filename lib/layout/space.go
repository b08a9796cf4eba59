// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"os"

	"github.com/docker/go-units"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// CheckSpace returns an error if the missing blobs need more space than the
// filesystem has free. Each blob is listed once.
func (w *Writer) CheckSpace(blobs []v1.Descriptor) error {
	free, known := w.free()
	if !known {
		return nil // writing fails if the space is used up
	}
	var need uint64
	for _, d := range blobs {
		missing, err := w.missing(d)
		if err != nil {
			return err
		}
		if need += missing; need > free { // checked at each step, before the sum can overflow
			return w.tooSmall("layers need", need, free)
		}
	}
	return nil
}

// CheckRoom returns an error if a file of a number of bytes needs more space than
// the filesystem has free.
func (w *Writer) CheckRoom(size int64) error {
	if free, known := w.free(); known && uint64(size) > free {
		return w.tooSmall("needs", uint64(size), free)
	}
	return nil
}

// free returns the number of bytes that are free, if it is known.
func (w *Writer) free() (bytes uint64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	if os.Geteuid() == 0 { // root may use the reserved blocks
		return st.Bfree * uint64(st.Bsize), true
	}
	return st.Bavail * uint64(st.Bsize), true
}

func (w *Writer) tooSmall(what string, need, free uint64) error {
	return hintFull(fmt.Errorf("%s: %s %s or more, %s free: %w",
		w.dir, what, units.BytesSize(float64(need)), units.BytesSize(float64(free)), unix.ENOSPC))
}

// hintFull adds to an error of a full disk what the user can do.
func hintFull(err error) error {
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return status.Hint(err, "free space there, or set XDG_CACHE_HOME to a directory on another filesystem")
}
