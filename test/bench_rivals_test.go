// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A workload is the same files in each form that a program takes them in.
type workload struct {
	bundle string // what banger-mkext4 takes: a bundle, or any directory
	tree   string
	tar    string
}

// banger is ours.
func (w workload) banger() *entrant {
	return &entrant{name: "banger-mkext4", command: func(dir string) []string {
		return []string{"banger-mkext4", "-o", filepath.Join(dir, "rootfs.ext4"), w.bundle}
	}}
}

// first is an image that banger makes. That run does not count: it reads from
// disk what the others, and the next, find in memory.
func (w workload) first(b *testing.B, u user) string {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "first-")
	if err != nil {
		b.Fatal(err)
	}
	command := w.banger().command(dir)
	return output(b, u.command(command[0], command[1:]...))
}

// mkfs is mkfs.ext4 as one would call it, for an image of the size of ours.
func (w workload) mkfs(ours string) *entrant {
	return &entrant{name: "mkfs.ext4 -d", command: func(dir string) []string {
		info, err := os.Stat(ours)
		if err != nil {
			return []string{"false"}
		}
		kib := strconv.FormatInt(info.Size()>>10, 10) + "k"
		return []string{which("mkfs.ext4"), "-q", "-d", w.tree, filepath.Join(dir, "plain.ext4"), kib}
	}}
}

// tar2ext4 is hcsshim's, or nobody where that cannot be built.
func (w workload) tar2ext4(b *testing.B) contest {
	b.Helper()
	program, err := tar2ext4.build()
	if err != nil {
		b.Log("without tar2ext4: ", err)
		return nil
	}
	return contest{{name: "tar2ext4 " + tar2ext4.version, command: func(dir string) []string {
		return []string{program, "-i", w.tar, "-o", filepath.Join(dir, "tar.ext4")}
	}}}
}

// copyOfFile is the floor: the bytes of the image, read and written.
func copyOfFile(image string) *entrant {
	return &entrant{name: "cp of the image", command: func(dir string) []string {
		return []string{"cp", "--reflink=never", "--sparse=always", image, filepath.Join(dir, "copy")}
	}}
}
