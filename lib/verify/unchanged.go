// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"

	"banger/lib/status"
)

// Unchanged compares the image that mkfs.ext4 -d has made with source, which was
// read before. mkfs.ext4 opens files by name, so they may have been changed or
// replaced in between.
func Unchanged(ctx context.Context, path string, source Source) error {
	var first *Difference
	count := 0
	_, err := Image(ctx, path, source, func(d Difference) {
		if count++; first == nil {
			first = &d
		}
	})
	if err != nil || first == nil {
		return err
	}
	if first.What == Filesystem {
		return fmt.Errorf("mkfs.ext4 made a damaged filesystem: %s", first.Have)
	}
	more := ""
	if count > 1 {
		more = fmt.Sprintf(", and %d more", count-1)
	}
	return status.Hint(fmt.Errorf("%s%s: changed while being read (%s)", first.Path, more, first.What),
		"make the image while nothing writes to the directory, or with --populate direct")
}
