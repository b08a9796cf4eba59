// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"

	"banger/lib/status"
)

// Unchanged judges an image that mkfs.ext4 has filled from a directory whose
// files it opened by name. It returns an error unless the image holds what the
// source has read: a file was changed or exchanged meanwhile, or mkfs.ext4 has
// made something else of it.
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
	return status.Hint(fmt.Errorf("%s%s: not what was read before mkfs.ext4 was started (%s)", first.Path, more, first.What),
		"make the image when nothing writes to the directory, or with --populate direct")
}
