// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDifferential: what cp copies onto ext4 by the kernel's hand, and what
// banger makes an image of, the kernel then shows as the same: but for atime
// and ctime, which are no part of banger's promise, and ctime not of cp's.
func TestDifferential(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "mount", "umount")
	inBothModes(t, func(t *testing.T) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				source := generated(t, seed)
				ours, kernels := mount(t, imageOf(t, source)), kernelsCopy(t, source)
				want := readTree(t, kernels)
				got := readTree(t, ours)
				withoutLostFound(t, got, want)
				sameTree(t, got, want)
				sameHoles(t, ours, kernels, want)
			})
		}
	})
}

// withoutLostFound takes out of an image's tree the lost+found that mke2fs has
// made, unless the source has its own.
func withoutLostFound(t testing.TB, got, source map[string]facts) {
	t.Helper()
	const name = "lost+found"
	if source[name] != nil {
		return
	}
	if f := got[name]; f["type"] != "dir" || f["mode"] != "0700" || f["owner"] != "0:0" {
		t.Errorf("mke2fs's lost+found: %v", f)
	}
	delete(got, name)
}

// sameHoles: files have their data where the kernel's copy has it, and nothing
// takes more blocks than that does, those for extents, names and attributes
// counted, but for an allowance.
func sameHoles(t *testing.T, ours, kernels string, paths map[string]facts) {
	t.Helper()
	more := 0
	for path := range paths {
		got, size := layout(t, filepath.Join(ours, path))
		want, most := layout(t, filepath.Join(kernels, path))
		most += allowance(path, paths[path], most)
		if got != want {
			t.Errorf("%q: data at %s, want %s", path, got, want)
		}
		if judged.whole && size > most { // libext2fs fills blocks of extents by half
			t.Errorf("%q: %d sectors, the kernel takes %d", path, size, most)
			more++
		}
		if more == 20 {
			t.Fatal("and so on")
		}
	}
}

// allowance is how many sectors more than the kernel something may take. mke2fs
// gives lost+found four blocks. How far the kernel's splits fill a directory is
// chance. And where a large attribute has an inode, the kernel may do without a
// block for the others, but e2fsck 1.47 then takes a fast symlink for a slow one.
func allowance(path string, f facts, sectors int64) (more int64) {
	if path == "lost+found" {
		more += 3 * 8
	}
	if f["type"] == "dir" {
		more += sectors / 8
	}
	if largeValues(f) > 0 {
		more += 8
	}
	return more
}

// layout tells where a file has data, if it is one, and how many sectors of 512
// bytes it takes.
func layout(t testing.TB, path string) (data string, sectors int64) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", st.Blocks
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spans, err := stored(f, st.Size)
	if err != nil {
		t.Fatal(err)
	}
	data = fmt.Sprint(spans)
	if len(spans) > 10 {
		data = fmt.Sprintf("%d spans, sha256 %x", len(spans), sha256.Sum256([]byte(data)))
	}
	return data, st.Blocks
}
