// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A workload is the same tree in every form that the programs take.
type workload struct {
	bundle string // input of banger-mkext4: a bundle or a directory
	tree   string
	tar    string
}

// banger is banger-mkext4.
func (w workload) banger() *entrant {
	return &entrant{name: "banger-mkext4", command: func(dir string) []string {
		return []string{"banger-mkext4", "-o", filepath.Join(dir, "rootfs.ext4"), w.bundle}
	}}
}

// first makes an image with banger, unmeasured, to fill the page cache.
func (w workload) first(b *testing.B, u user) string {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "first-")
	if err != nil {
		b.Fatal(err)
	}
	command := w.banger().command(dir)
	return output(b, u.command(command[0], command[1:]...))
}

// mkfs is plain mkfs.ext4 -d, with the size of the image made.
func (w workload) mkfs(made string) *entrant {
	return &entrant{name: "mkfs.ext4 -d", command: func(dir string) []string {
		info, err := os.Stat(made)
		if err != nil {
			return []string{"false"}
		}
		kib := strconv.FormatInt(info.Size()>>10, 10) + "k"
		return []string{which("mkfs.ext4"), "-q", "-d", w.tree, filepath.Join(dir, "plain.ext4"), kib}
	}}
}

// tar2ext4 is hcsshim's tar2ext4, or no entrant if it cannot be built.
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

// copyOfFile is the lower bound: the image read and written.
func copyOfFile(image string) *entrant {
	return &entrant{name: "cp of the image", command: func(dir string) []string {
		return []string{"cp", "--reflink=never", "--sparse=always", image, filepath.Join(dir, "copy")}
	}}
}
