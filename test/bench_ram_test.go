// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onRAM returns, for root, the user with a home on a new journaled ext4 in
// memory. On a shared disk writers wait for others; an ext4 without a journal
// avoids recently freed inodes for minutes and scans all of them.
func (u user) onRAM(b *testing.B) user {
	b.Helper()
	if u.id != 0 {
		b.Log("on a disk: creating files may wait for earlier writes and removals")
		return u
	}
	need(b, "losetup", "mount", "mkfs.ext4")
	ram := mountBelow(b, u.home, "-t", "tmpfs", "tmpfs")
	disk := filepath.Join(ram, "disk")
	output(b, u.command("truncate", "--size=16G", disk))
	output(b, u.command("mkfs.ext4", "-q", "-i", "8192", disk))
	loop := strings.TrimSpace(output(b, u.command("losetup", "--find", "--show", disk)))
	defer output(b, u.command("losetup", "--detach", loop)) // takes effect at the last unmount
	// The kernel must not initialise inode tables during a run.
	return user{mountBelow(b, u.home, "-o", "noinit_itable,discard", loop), u.id}
}

// mountBelow mounts a filesystem in a new directory of home until the
// benchmark ends.
func mountBelow(b *testing.B, home string, args ...string) (dir string) {
	b.Helper()
	dir, err := os.MkdirTemp(home, "mount-")
	if err != nil {
		b.Fatal(err)
	}
	output(b, exec.Command(which("mount"), append(args, dir)...))
	b.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			b.Error(err)
		}
	})
	return dir
}
