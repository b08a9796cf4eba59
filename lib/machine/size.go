// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"io"
	"os"

	"banger/lib/ext4"
	"banger/lib/status"
)

// imageSize returns the size in bytes of the image's root filesystem, as diskSize
// does.
func (b *Boot) imageSize() (disk int64, err error) {
	f, err := os.Open(b.rootfs())
	if err != nil {
		return 0, errors.Join(b.current(), err)
	}
	defer f.Close()
	return b.diskSize(f, b.rootfs())
}

// diskSize returns the size of a disk in bytes. A disk that is smaller than its
// filesystem is refused, and a Spec.Size that is. path is for messages.
func (b *Boot) diskSize(disk *os.File, path string) (size int64, err error) {
	needs, err := ext4.ReadSize(disk)
	if err != nil {
		return 0, status.Errorf(status.Bad, "%s: %w", path, err)
	}
	if size, err = disk.Seek(0, io.SeekEnd); err != nil { // of a block device, too
		return 0, err
	}
	switch {
	case size < needs:
		return 0, status.Errorf(status.Bad, "%s: truncated: it has %d bytes, its filesystem has %d", path, size, needs)
	case b.Size != 0 && b.Size < needs:
		return 0, status.Hint(status.Errorf(status.Usage, "--size %s: smaller than the filesystem of %s", formatSize(b.Size), path),
			"the least is --size %s", formatSize(needs))
	}
	return size, nil
}

// growDisk makes a disk Spec.Size large, if it is smaller. size is what it has. The
// guest grows the filesystem.
func (b *Boot) growDisk(path string, size int64) error {
	if b.Size <= size {
		return nil
	}
	if b.foreign {
		b.Note(fmt.Sprintf("%s: initrd.img came with the kernel: it may not grow the filesystem", b.Image.Name), "")
	}
	truncate := Command{Args: []string{"truncate", fmt.Sprintf("--size=%d", b.Size), path}}
	return status.With(status.Create, b.do(truncate, func() error { return os.Truncate(path, b.Size) }))
}
