// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// diskTimeout is how long to wait for the disk.
const diskTimeout = 10 * time.Second

// enterRoot mounts the root filesystem given on the command line, and switches to
// it.
func enterRoot(line cmdline) error {
	device := line.or("root", "/dev/vda")
	if !filepath.IsAbs(device) {
		return fmt.Errorf("root=%s: not a device, as in root=/dev/vda", device)
	}
	if err := await(device); err != nil {
		return err
	}
	var flags uintptr
	if line.has("ro") {
		flags = unix.MS_RDONLY
	}
	kind := line.or("rootfstype", "ext4")
	if err := unix.Mount(device, "/root", kind, flags, line["rootflags"]); err != nil {
		return fmt.Errorf("mount %s as %s: %w", device, kind, err)
	}
	movePseudo()
	freeRamdisk()
	return switchRoot()
}

// freeRamdisk removes the files of the initrd to free their memory. It does nothing
// if the root is not in memory.
func freeRamdisk() {
	var root unix.Statfs_t
	if unix.Statfs("/", &root) != nil || root.Type != unix.RAMFS_MAGIC && root.Type != unix.TMPFS_MAGIC {
		return
	}
	os.RemoveAll("/" + guest.ModulesDir)
	for _, file := range []string{guest.InitFile, guest.RunFile} {
		os.Remove("/" + file)
	}
}

// await waits for a device.
func await(device string) error {
	for end := time.Now().Add(diskTimeout); ; time.Sleep(5 * time.Millisecond) {
		if exists(device) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not found after %v; disks: %s; the machine has no disk, or the kernel has no virtio_blk",
				device, diskTimeout, disks())
		}
	}
}

// disks lists the block devices that the kernel has found.
func disks() string {
	entries, _ := os.ReadDir("/sys/block")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// movePseudo moves devtmpfs, proc and sysfs into the root. It makes the usual mount
// points that are missing, if the root is writable.
func movePseudo() {
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp"} {
		mode := os.FileMode(0o755)
		if dir == "tmp" {
			mode = 0o777 | os.ModeSticky
		}
		if os.Mkdir("/root/"+dir, mode) == nil {
			os.Chmod("/root/"+dir, mode)
		}
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, "/root"+dir, "", unix.MS_MOVE, ""); err != nil {
			say("move %s into the image: %v", dir, err)
		}
	}
}

// switchRoot makes /root the root. It moves it over the initrd, which cannot be
// unmounted (Documentation/filesystems/ramfs-rootfs-initramfs.rst).
func switchRoot() error {
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	return os.Chdir("/")
}
