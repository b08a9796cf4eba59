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

// patience is how long a disk may take to be found.
const patience = 10 * time.Second

// enterRoot mounts the root filesystem that the command line names, and makes
// it the root of this process and of all to come.
func (m *machine) enterRoot() error {
	line, device := m.line, m.rootDevice()
	if !filepath.IsAbs(device) {
		return fmt.Errorf("root=%s: only a device can be named, as in root=/dev/vda", device)
	}
	if err := await(device); err != nil {
		return err
	}
	var flags uintptr
	if line.has("ro") {
		flags = unix.MS_RDONLY
	}
	if m.wishes.Build { // that a file was read is no change
		flags |= unix.MS_NOATIME
	}
	kind := line.or("rootfstype", "ext4")
	if err := unix.Mount(device, "/root", kind, flags, line["rootflags"]); err != nil {
		return fmt.Errorf("mount %s as %s: %w", device, kind, err)
	}
	if m.wishes.Build {
		m.original = newOriginal("/root", filepath.Join("/", m.config.WorkingDir), modulesDir())
	}
	moveKernels()
	if m.wishes.Build {
		m.original.hide("/root")
	}
	freeRamdisk()
	return switchRoot()
}

// rootDevice returns the device of the root filesystem.
func (m *machine) rootDevice() string { return m.line.or("root", "/dev/vda") }

// freeRamdisk removes what lies in the ramdisk: its memory is the guest's. What
// is no ramdisk keeps its files.
func freeRamdisk() {
	var root unix.Statfs_t
	if unix.Statfs("/", &root) != nil || root.Type != unix.RAMFS_MAGIC && root.Type != unix.TMPFS_MAGIC {
		return
	}
	for _, dir := range []string{guest.ModulesDir, guest.CredentialsDir} {
		os.RemoveAll("/" + dir)
	}
	for _, file := range []string{guest.InitFile, guest.ConfigFile, guest.MachineFile, guest.ScriptFile} {
		os.Remove("/" + file)
	}
}

// await waits until a device is there.
func await(device string) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if exists(device) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not there after %v; disks: %s; the machine has no disk, or the kernel no virtio_blk for it",
				device, patience, disks())
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

// moveKernels takes the kernel's filesystems along into the root. What is
// missing there of the usual mount points is made, if it can be written to.
func moveKernels() {
	for _, dir := range []string{"dev", "proc", "sys", "run"} {
		if os.Mkdir("/root/"+dir, 0o755) == nil {
			os.Chmod("/root/"+dir, 0o755) // whatever the umask
		}
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, "/root"+dir, "", unix.MS_MOVE, ""); err != nil {
			say("%s: cannot be mounted in the image: %v", dir, err)
		}
	}
}

// switchRoot makes /root the root: it is moved over the ramdisk, which cannot
// be unmounted (Documentation/filesystems/ramfs-rootfs-initramfs.rst).
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
