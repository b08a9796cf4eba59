// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDifferential: what cp copies onto ext4 by the kernel's hand, and what
// banger makes an image of, the kernel then shows as the same: but for atime
// and ctime, which are no part of banger's promise, and ctime not of cp's.
func TestDifferential(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "mount", "umount")
	for seed := range uint64(4) {
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
// counted. But symlinks may: e2fsck 1.47 takes one for slow whose only blocks
// are an attribute's inode, unless it has a block for attributes as well.
func sameHoles(t *testing.T, ours, kernels string, paths map[string]facts) {
	t.Helper()
	more := 0
	for path := range paths {
		got, size := layout(t, filepath.Join(ours, path))
		want, most := layout(t, filepath.Join(kernels, path))
		if paths[path]["type"] == "link" && largeValues(paths[path]) > 0 {
			most += 8
		}
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

// TestLimits: as many names of one file and as many directories in one as ext4
// takes, and then some: directories have no limit, their count of links does.
func TestLimits(t *testing.T) {
	needRoot(t)
	if !judged.whole {
		t.Skip("mkfs.ext4 -d takes minutes")
	}
	const links, dirs = 65000, 65500
	source := memory(t)
	dir := filepath.Join(source, "dirs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range dirs {
		if err := os.Mkdir(filepath.Join(dir, strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one := filepath.Join(source, "links")
	link(t, one, links)
	root := mount(t, imageOf(t, source))
	sameTree(t, readTree(t, filepath.Join(root, "dirs")), readTree(t, dir))
	sameTree(t, readTree(t, filepath.Join(root, "links")), readTree(t, one))
	for name, want := range map[string]uint64{"dirs": 1, "links/0": links} { // 1: nobody knows how many
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(root, name), &st); err != nil || st.Nlink != want {
			t.Errorf("%s: %d links, want %d, %v", name, st.Nlink, want, err)
		}
	}
}

// TestTooManyLinks: one name more than ext4 takes is refused, by name.
func TestTooManyLinks(t *testing.T) {
	needRoot(t)
	if !judged.whole {
		t.Skip("mkfs.ext4 -d takes minutes")
	}
	source := memory(t)
	link(t, filepath.Join(source, "links"), 65001)
	u := newUser(t, 0)
	cmd := u.mkext4(source, "-o", "x.ext4")
	said, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 65 || !strings.Contains(string(said), "./links/0") {
		t.Errorf("%v: %s", err, said)
	}
	if names := list(t, u.home); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

// link makes a directory of so many names of one file.
func link(t testing.TB, dir string, names int) {
	t.Helper()
	first := filepath.Join(dir, "0")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first, []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < names; i++ {
		if err := os.Link(first, filepath.Join(dir, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
}
