// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// furnish gives a command what it finds in a container.
func furnish() {
	linkDevices("/dev")
	mountOn("tmpfs", "/dev/shm", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	mountOn("mqueue", "/dev/mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	mountOn("cgroup2", "/sys/fs/cgroup", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	setKernel("/proc/sys")
}

// mountTerminals mounts /dev/pts, for every rule: one logs in where an init hangs
// that has not mounted it yet. Others keep what they find.
func mountTerminals() {
	mountOn("devpts", "/dev/pts", unix.MS_NOSUID|unix.MS_NOEXEC, fmt.Sprintf("gid=%d,mode=620,ptmxmode=666", ttyGroup))
}

// mountOn mounts a filesystem on a directory, which it makes. One that the kernel
// does not have is left out.
func mountOn(kind, dir string, flags uintptr, data string) {
	os.MkdirAll(dir, 0o755)
	if err := unix.Mount(kind, dir, kind, flags, data); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EBUSY) {
		say("mount %s on %s: %v", kind, dir, err)
	}
}

// linkDevices makes the links to a process's own streams, and to the multiplexer
// of terminals, where they are missing.
func linkDevices(dev string) {
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		os.Symlink(target, filepath.Join(dev, name))
	}
}

// setKernel lets every user bind any port, and ping, as in Docker's containers.
func setKernel(sys string) {
	for name, value := range map[string]string{
		"net/ipv4/ip_unprivileged_port_start": "0",
		"net/ipv4/ping_group_range":           "0 2147483647",
	} {
		path := filepath.Join(sys, name)
		if err := os.WriteFile(path, []byte(value), 0); err != nil && exists(path) {
			say("%v", err)
		}
	}
}
