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

// A filler is a way of banger-mkext4 to populate a filesystem.
type filler struct {
	flags    []string
	keepsAll bool // keeps everything that ext4 can hold
}

// The fillers. mkfs.ext4 -d keeps no large attributes and no sockets, makes no
// htree, and refuses hard links to symlinks.
var (
	byBanger = filler{keepsAll: true}
	byMkfs   = filler{flags: []string{"--populate=mkfs"}}
)

// testedFiller is the filler under test.
var testedFiller = byBanger

// inBothModes runs a test with each filler under test.
func inBothModes(t *testing.T, test func(t *testing.T)) {
	for name, f := range map[string]filler{"direct": byBanger, "mkfs": byMkfs} {
		t.Run(name, func(t *testing.T) {
			testedFiller = f
			defer func() { testedFiller = byBanger }()
			test(t)
		})
	}
}

// mkext4 returns the command that makes an image of a bundle or a directory.
func (u user) mkext4(dir string, flags ...string) *exec.Cmd {
	return u.command("banger-mkext4", slices.Concat(testedFiller.flags, flags, []string{dir})...)
}

// imageOf makes an image of a directory and checks it with e2fsck.
func imageOf(t testing.TB, dir string) string {
	t.Helper()
	need(t, "mkfs.ext4", "e2fsck")
	u := newUser(t, uint32(os.Getuid()))
	image := output(t, u.mkext4(dir, "-o", filepath.Join(u.home, "rootfs.ext4")))
	fsck(t, image)
	return image
}

// fsck fails the test unless e2fsck accepts an image.
func fsck(t testing.TB, ext4 string) {
	t.Helper()
	output(t, exec.Command(which("e2fsck"), "-fn", ext4))
}

// copyOf returns a writable copy of an image, as sparse as the image.
func copyOf(t testing.TB, ext4 string) string {
	t.Helper()
	file := filepath.Join(memory(t), "copy.ext4")
	output(t, exec.Command("cp", "--sparse=always", ext4, file))
	return file
}

// kernelFS returns an empty filesystem for the kernel to fill, reproducibly.
// It takes every attribute, and is sparse.
func kernelFS(t testing.TB) string {
	t.Helper()
	need(t, "mkfs.ext4")
	file := filepath.Join(memory(t), "kernel.ext4")
	output(t, exec.Command("truncate", "--size=8G", file))
	output(t, exec.Command(which("mkfs.ext4"), "-q", "-b", "4096", "-I", "256", "-O", "ea_inode,^metadata_csum_seed,^orphan_file",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,hash_seed="+hashSeed, file))
	return file
}

// hashSeed determines how the kernel splits directories.
const hashSeed = "01234567-89ab-cdef-0123-456789abcdef"

// mountWritable mounts an image for writing. unmount unmounts it before the
// test ends. Unused inode tables stay uninitialised.
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

// kernelsCopy copies a directory with cp(1) to the kernel's ext4, zero blocks
// as holes, and mounts it again so that everything is read from disk.
func kernelsCopy(t testing.TB, dir string) string {
	t.Helper()
	file := kernelFS(t)
	root, unmount := mountWritable(t, file)
	out, err := exec.Command("cp", "-a", "--sparse=always", dir, filepath.Join(root, "tree")).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("cp -a: %v\n%s", err, out)
	}
	unmount()
	return filepath.Join(mount(t, file), "tree")
}

// generated returns a random tree on a filesystem of its own.
func generated(t testing.TB, seed uint64) string {
	t.Helper()
	root, _ := mountWritable(t, kernelFS(t))
	dir := filepath.Join(root, fmt.Sprintf("seed-%d", seed))
	grow(t, dir, seed)
	return dir
}

// memory returns a directory on a new tmpfs, without ext4's limits.
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
