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

// TestDifferential compares banger's image of a tree, mounted, with the tree
// copied by cp onto the kernel's ext4. atime and ctime are not compared:
// banger does not set them from the tree, and cp cannot set ctime.
func TestDifferential(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "mount", "umount")
	inBothModes(t, func(t *testing.T) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				source := generated(t, seed)
				banger, kernels := mount(t, imageOf(t, source)), kernelsCopy(t, source)
				want := readTree(t, kernels)
				got := readTree(t, banger)
				withoutLostFound(t, got, want)
				sameTree(t, got, want)
				sameHoles(t, banger, kernels, want)
			})
		}
	})
}

// withoutLostFound removes from an image's tree the lost+found that mke2fs
// created, unless the source has its own.
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

// sameHoles checks that files have data where the kernel's copy has it, and
// that nothing takes more blocks than there, extents, names and attributes
// included, apart from an allowance.
func sameHoles(t *testing.T, banger, kernels string, paths map[string]facts) {
	t.Helper()
	larger := 0
	for path := range paths {
		got, sectors := layout(t, filepath.Join(banger, path))
		want, limit := layout(t, filepath.Join(kernels, path))
		limit += allowance(path, paths[path], limit)
		if got != want {
			t.Errorf("%q: data at %s, want %s", path, got, want)
		}
		if testedFiller.keepsAll && sectors > limit { // libext2fs leaves extent blocks half empty
			t.Errorf("%q: %d sectors, limit %d", path, sectors, limit)
			larger++
		}
		if larger == 20 {
			t.Fatal("too many errors")
		}
	}
}

// allowance returns how many sectors more than the kernel's a file may take.
// mke2fs gives lost+found four blocks. How full the kernel's splits leave a
// directory is random. With an EA inode the kernel may need no xattr block,
// but e2fsck 1.47 then mistakes a fast symlink for a slow one.
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

// layout returns where a regular file has data, and how many sectors of 512
// bytes any file takes.
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
