// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// diskDir is where the disk is once leaveRoot has left it.
const diskDir = "/disk"

// endBuild makes the disk ready to be published. A disk for which that fails is
// not: the status says so.
func (m *machine) endBuild() (status int, err error) {
	if err = errors.Join(m.clean(), stopWriting(diskDir)); err != nil {
		say("%v", err)
		return cannotRun, err
	}
	return 0, nil
}

// clean makes of the disk what is to be published: without what was the machine's
// own, and with the free blocks given back to the host.
func (m *machine) clean() error {
	releaseFiles()
	if err := leaveRoot(); err != nil {
		return err
	}
	if err := m.original.restore(diskDir); err != nil {
		return err
	}
	unix.Sync() // blocks are free once that is on the disk
	return trim(diskDir)
}

// leaveRoot makes a new tmpfs the root, with the kernel's filesystems. The disk is
// in diskDir, and nothing is mounted on it: what was there, whoever mounted it, is
// detached. No other process may be left.
func leaveRoot() error {
	const old = "/old" // the root so far
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the root: private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("leave the root: mount tmpfs on /run: %w", err)
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := os.Mkdir("/run"+dir, 0o755); err != nil {
			return err
		}
		unix.Mount(dir, "/run"+dir, "", unix.MS_MOVE, "") // a script may have unmounted it
	}
	if err := errors.Join(os.Mkdir("/run"+old, 0o755), os.Mkdir("/run"+diskDir, 0o755)); err != nil {
		return err
	}
	if err := unix.PivotRoot("/run", "/run"+old); err != nil {
		return fmt.Errorf("leave the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Mount(old, diskDir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("leave the root: bind the disk: %w", err)
	}
	return os.NewSyscallError("umount", unix.Unmount(old, unix.MNT_DETACH))
}

// fitrim is FITRIM of include/uapi/linux/fs.h, _IOWR('X', 121, struct fstrim_range).
const fitrim = 0xc0185879

// trim discards the free blocks of a filesystem. Where the disk or the filesystem
// cannot, as with the virtio_blk of kernels before 5.0, it says so.
func trim(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	all := struct{ start, len, minlen uint64 }{len: math.MaxUint64}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fitrim, uintptr(unsafe.Pointer(&all)))
	switch errno {
	case 0:
		return nil
	case unix.EOPNOTSUPP, unix.ENOTTY:
		say("the free blocks stay in the image: the kernel cannot discard them")
		return nil
	}
	return fmt.Errorf("discard the free blocks: %w", errno)
}
