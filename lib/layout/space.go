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
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil || st.Blocks == 0 {
		return nil // unknown; writing fails if the space is used up
	}
	free := st.Bavail * uint64(st.Bsize)
	if os.Geteuid() == 0 { // root may use the reserved blocks
		free = st.Bfree * uint64(st.Bsize)
	}
	var need uint64
	for _, d := range blobs {
		path, err := w.blobPath(d.Digest)
		if err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil && info.Size() == d.Size {
			continue
		}
		if need += uint64(d.Size); need > free { // checked at each step, before the sum can overflow
			return hintFull(fmt.Errorf("%s: layers need %s or more, %s free: %w",
				w.dir, units.BytesSize(float64(need)), units.BytesSize(float64(free)), unix.ENOSPC))
		}
	}
	return nil
}

// hintFull adds to an error of a full disk what the user can do.
func hintFull(err error) error {
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return status.Hint(err, "free space there, or set XDG_CACHE_HOME to a directory on another filesystem")
}
