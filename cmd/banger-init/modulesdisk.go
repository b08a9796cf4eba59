// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/lib/ext4"
)

// mountModules mounts the filesystem with a UUID on /lib/modules/RELEASE, where the
// image has no modules of the kernel. It runs in the image's root, so that a symlink
// leads nowhere else. The machine runs on without it.
func mountModules(uuid string) {
	if uuid == "" {
		return
	}
	if err := mountModulesOn(uuid, "/lib/modules/"+release()); err != nil {
		say("the kernel's modules: %v", err)
	}
}

func mountModulesOn(uuid, dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case len(entries) > 0:
		return nil // the image's own
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	device := diskWith(uuid)
	if device == "" {
		return fmt.Errorf("no disk with the UUID %s: give the machine modules.ext4 as its last one", uuid)
	}
	old := unix.Umask(0o022)
	err = os.MkdirAll(dir, 0o755)
	unix.Umask(old)
	if err != nil {
		return err
	}
	if err := unix.Mount(device, dir, "ext4", unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", device, dir, err)
	}
	return hideDeviceNames(dir)
}

// hideDeviceNames hides modules.devname where the image has no kmod. With that file,
// systemd's kmod-static-nodes.service would run it, and fail.
func hideDeviceNames(dir string) error {
	for _, kmod := range []string{"/bin/kmod", "/sbin/kmod", "/usr/bin/kmod", "/usr/sbin/kmod"} {
		if _, err := os.Stat(kmod); err == nil {
			return nil
		}
	}
	names := filepath.Join(dir, "modules.devname")
	if err := unix.Mount("/dev/null", names, "", unix.MS_BIND, ""); err != nil && err != unix.ENOENT {
		return fmt.Errorf("hide %s: %w", names, err)
	}
	return nil
}

// diskWith returns the device of the disk whose ext4 filesystem has a UUID, "" for
// none.
func diskWith(uuid string) string {
	entries, _ := os.ReadDir("/sys/block")
	for _, e := range entries {
		device := filepath.Join("/dev", e.Name())
		f, err := os.Open(device)
		if err != nil {
			continue
		}
		found, err := ext4.ReadUUID(f)
		f.Close()
		if err == nil && found == uuid {
			return device
		}
	}
	return ""
}

// release returns the kernel's release.
func release() string {
	var u unix.Utsname
	unix.Uname(&u)
	return unix.ByteSliceToString(u.Release[:])
}
