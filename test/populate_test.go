// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A filler is a way of banger-mkext4 to fill a filesystem.
type filler struct {
	flags []string
	whole bool // it keeps all that ext4 can hold
}

// The fillers. mkfs.ext4 -d keeps no large attributes, no sockets and no second
// name of a symlink, which is refused, and makes no index.
var (
	byBanger = filler{whole: true}
	byMkfs   = filler{flags: []string{"--populate=mkfs"}}
)

// judged is the one that the tests of what ext4 can hold are about.
var judged = byBanger

// inBothModes runs a test with each filler as the judged one.
func inBothModes(t *testing.T, test func(t *testing.T)) {
	for name, f := range map[string]filler{"direct": byBanger, "mkfs": byMkfs} {
		t.Run(name, func(t *testing.T) {
			judged = f
			defer func() { judged = byBanger }()
			test(t)
		})
	}
}

// mkext4 is the command that makes an image of a bundle or a directory.
func (u user) mkext4(dir string, flags ...string) *exec.Cmd {
	return u.command("banger-mkext4", slices.Concat(judged.flags, flags, []string{dir})...)
}

// imageOf makes an image of a directory, as whoever runs the tests, in a place
// of its own. e2fsck must have no word to say of it.
func imageOf(t testing.TB, dir string) string {
	t.Helper()
	need(t, "mkfs.ext4", "e2fsck")
	u := newUser(t, uint32(os.Getuid()))
	image := output(t, u.mkext4(dir, "-o", filepath.Join(u.home, "rootfs.ext4")))
	clean(t, image)
	return image
}

func clean(t testing.TB, ext4 string) {
	t.Helper()
	output(t, exec.Command(which("e2fsck"), "-fn", ext4))
}

// copyOf is a copy to write to, as sparse as the image.
func copyOf(t testing.TB, ext4 string) string {
	t.Helper()
	file := filepath.Join(memory(t), "copy.ext4")
	output(t, exec.Command("cp", "--sparse=always", ext4, file))
	return file
}

// kernelFS is a filesystem that the kernel itself is to fill, always the same
// way. It takes every attribute, and is as large as it is only in name.
func kernelFS(t testing.TB) string {
	t.Helper()
	need(t, "mkfs.ext4")
	file := filepath.Join(memory(t), "kernel.ext4")
	output(t, exec.Command("truncate", "--size=8G", file))
	output(t, exec.Command(which("mkfs.ext4"), "-q", "-b", "4096", "-I", "256", "-O", "ea_inode,^metadata_csum_seed,^orphan_file",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,hash_seed="+hashSeed, file))
	return file
}

// hashSeed decides into how many blocks the kernel splits a directory.
const hashSeed = "01234567-89ab-cdef-0123-456789abcdef"

// mountWritable mounts an image for the kernel to write to; unmount ends that
// before the test does. Inode tables that nobody needs stay unwritten.
func mountWritable(t testing.TB, ext4 string) (root string, unmount func()) {
	t.Helper()
	needRoot(t)
	need(t, "mount", "umount")
	dir, mounted := scratch(t), true
	output(t, exec.Command(which("mount"), "-t", "ext4", "-o", "loop,noinit_itable,errors=remount-ro", ext4, dir))
	unmount = func() {
		if mounted {
			mounted = false
			output(t, exec.Command(which("umount"), dir))
		}
	}
	t.Cleanup(unmount)
	return dir, unmount
}

// kernelsCopy is a directory as the kernel lays it out, copied by cp(1), zero
// blocks as holes, and mounted again so that all of it comes from disk.
func kernelsCopy(t testing.TB, dir string) string {
	t.Helper()
	file := kernelFS(t)
	root, unmount := mountWritable(t, file)
	said, err := exec.Command("cp", "-a", "--sparse=always", dir, filepath.Join(root, "tree")).CombinedOutput()
	if err != nil || len(said) > 0 {
		t.Fatalf("cp -a: %v\n%s", err, said)
	}
	unmount()
	return filepath.Join(mount(t, file), "tree")
}

// generated is a tree that a seed decides, on a filesystem of its own.
func generated(t testing.TB, seed uint64) string {
	t.Helper()
	root, _ := mountWritable(t, kernelFS(t))
	dir := filepath.Join(root, fmt.Sprintf("seed-%d", seed))
	grow(t, dir, seed)
	return dir
}

// memory is a filesystem in memory: none of ext4's limits, and no disk to wait
// for, however often the kernel syncs what is in it.
func memory(t testing.TB) string {
	t.Helper()
	needRoot(t)
	dir := scratch(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
