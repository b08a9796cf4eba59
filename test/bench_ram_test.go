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

// onRAM is the same user with a home, if that is root, on a new ext4 with a
// journal, in memory. Elsewhere who makes files waits for a disk that others
// use, or, on an ext4 without a journal, for the inodes that another has freed:
// it shuns them for minutes, and looks at each one every time.
func (u user) onRAM(b *testing.B) user {
	b.Helper()
	if u.id != 0 {
		b.Log("on a disk: who makes files may wait for what another has written or removed")
		return u
	}
	need(b, "losetup", "mount", "mkfs.ext4")
	ram := mountBelow(b, u.home, "-t", "tmpfs", "tmpfs")
	disk := filepath.Join(ram, "disk")
	output(b, u.command("truncate", "--size=16G", disk))
	output(b, u.command("mkfs.ext4", "-q", "-i", "8192", disk))
	loop := strings.TrimSpace(output(b, u.command("losetup", "--find", "--show", disk)))
	defer output(b, u.command("losetup", "--detach", loop)) // once nobody has it mounted
	// The kernel is not to initialise inode tables while somebody runs.
	return user{mountBelow(b, u.home, "-o", "noinit_itable,discard", loop), u.id}
}

// mountBelow mounts something in a new directory of home until the benchmark ends.
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
