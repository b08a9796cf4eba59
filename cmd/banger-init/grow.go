// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"banger/lib/ext4"
)

// resizeFS is EXT4_IOC_RESIZE_FS of fs/ext4/ext4.h, _IOW('f', 16, __u64): the new
// size is in blocks.
const resizeFS = 0x40086610

// growRoot grows the root filesystem to the size of its disk. It does nothing for
// a filesystem that is not ext4, or that has the size. A machine whose filesystem
// cannot grow runs on.
func growRoot(device string) {
	if err := grow("/", device); err != nil {
		say("%s: the filesystem has not been grown to its disk: %v", device, err)
	}
}

func grow(dir, device string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if fs.Type != unix.EXT4_SUPER_MAGIC || fs.Bsize <= 0 {
		return nil
	}
	disk, err := os.Open(device)
	if err != nil {
		return err
	}
	defer disk.Close()
	size, err := disk.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	blocks := uint64(size / fs.Bsize)
	if has, err := ext4.ReadSize(disk); err != nil || has > size-fs.Bsize {
		return err
	}
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), resizeFS, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("to %d blocks: %w", blocks, errno)
	}
	return nil
}
