// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// populate is how banger-mkext4 fills the filesystem in the contests.
const populate = "--populate=direct"

// A workload is the same files in each form that a program takes them in.
type workload struct {
	bundle string // what banger-mkext4 takes: a bundle, or any directory
	tree   string
	tar    string
}

// banger is ours.
func (w workload) banger() *entrant {
	return &entrant{name: "banger-mkext4 " + populate, command: func(dir string) []string {
		return []string{"banger-mkext4", populate, "-o", filepath.Join(dir, "rootfs.ext4"), w.bundle}
	}}
}

// size is how large an image banger makes. That run does not count: it reads
// from disk what the others, and the next, find in memory.
func (w workload) size(b *testing.B, u user) int64 {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "first-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	command := w.banger().command(dir)
	made := output(b, u.command(command[0], command[1:]...))
	info, err := os.Stat(made)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// mkfs is mkfs.ext4 as one would call it, for an image of that size.
func (w workload) mkfs(size int64) *entrant {
	return &entrant{name: "mkfs.ext4 -d", command: func(dir string) []string {
		kib := strconv.FormatInt(size>>10, 10) + "k"
		return []string{which("mkfs.ext4"), "-q", "-d", w.tree, filepath.Join(dir, "plain.ext4"), kib}
	}}
}

// tar2ext4 is hcsshim's, or nobody where that cannot be built.
func (w workload) tar2ext4(b *testing.B) contest {
	b.Helper()
	program, err := tar2ext4()
	if err != nil {
		b.Log("without tar2ext4: ", err)
		return nil
	}
	return contest{{name: "tar2ext4 " + tar2ext4Version, command: func(dir string) []string {
		return []string{program, "-i", w.tar, "-o", filepath.Join(dir, "tar.ext4")}
	}}}
}

// copy is the floor: the same bytes, read and written.
func (w workload) copy(flags ...string) *entrant {
	return &entrant{name: "cp", command: func(dir string) []string {
		return append(append([]string{"cp", "--reflink=never"}, flags...), w.tree, filepath.Join(dir, "copy"))
	}}
}
