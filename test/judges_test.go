// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestJudges lets e2fsprogs and the kernel inspect one rich image and modify
// copies of it. Its content must stay the same, and e2fsck must find no errors.
func TestJudges(t *testing.T) {
	needRoot(t)
	need(t, "e2fsck", "dumpe2fs", "debugfs", "resize2fs", "filefrag", "mount", "umount")
	// With this seed lost+found has few names: e2fsck 1.47 -n rejects a
	// lost+found with an htree that -D has rewritten, the kernel's own too.
	image := imageOf(t, generated(t, 4))
	before := hash(t, image)
	root := mount(t, image)
	r := rich{image, root, readTree(t, root)}
	t.Run("directories rebuilt", func(t *testing.T) { r.rebuilt(t) })
	t.Run("counts", func(t *testing.T) { r.counts(t) })
	t.Run("groups unused", func(t *testing.T) { r.unusedGroups(t) })
	t.Run("host file", func(t *testing.T) { r.hostFile(t) })
	t.Run("index", func(t *testing.T) { r.indexed(t) })
	t.Run("index dumped", func(t *testing.T) { r.indexDumped(t) })
	t.Run("shared attributes", func(t *testing.T) { r.shared(t) })
	t.Run("contiguous", func(t *testing.T) { r.contiguous(t) })
	t.Run("written to", func(t *testing.T) { r.writtenTo(t) })
	t.Run("resized", func(t *testing.T) { r.resized(t) })
	if after := hash(t, image); after != before {
		t.Errorf("the image was changed: sha256 %s, was %s", after, before)
	}
}

// A rich is an image, its mount point and its tree.
type rich struct {
	image, root string
	tree        map[string]facts
}

// unchanged checks that a modified copy is clean and holds the same tree.
func (r rich) unchanged(t *testing.T, file string) {
	t.Helper()
	fsck(t, file)
	t.Run("tree", func(t *testing.T) { sameTree(t, readTree(t, mount(t, file)), r.tree) })
}

// rebuilt lets e2fsck -D rewrite every directory.
func (r rich) rebuilt(t *testing.T) {
	file := copyOf(t, r.image)
	cmd := exec.Command(which("e2fsck"), "-fyD", file)
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("e2fsck -fyD: %v\n%s", err, out)
	}
	r.unchanged(t, file)
}

// resized doubles the filesystem, shrinks it to the minimum and restores its
// size. When shrinking renumbers inodes, resize2fs changes the mtime of their
// directories.
func (r rich) resized(t *testing.T) {
	file := copyOf(t, r.image)
	resize := func(args ...string) { output(t, exec.Command(which("resize2fs"), append([]string{"-f"}, args...)...)) }
	blocks := dumpe2fs(t, file).number(t, "Block count")
	resize(file, fmt.Sprint(2*blocks))
	r.unchanged(t, file)
	want := withoutDirTimes(r.tree)
	for _, args := range [][]string{{"-M", file}, {file, fmt.Sprint(blocks)}} {
		resize(args...)
		fsck(t, file)
		t.Run("tree", func(t *testing.T) { sameTree(t, withoutDirTimes(readTree(t, mount(t, file))), want) })
	}
	if got := dumpe2fs(t, file).number(t, "Block count"); got != blocks {
		t.Errorf("%d blocks, were %d", got, blocks)
	}
}

// withoutDirTimes returns the tree without the mtimes of directories.
func withoutDirTimes(tree map[string]facts) map[string]facts {
	without := map[string]facts{}
	for path, f := range tree {
		if f["type"] == "dir" {
			f = maps.Clone(f)
			delete(f, "mtime")
		}
		without[path] = f
	}
	return without
}

// contiguous checks that 99 of 100 files without holes have a single extent.
func (r rich) contiguous(t *testing.T) {
	var whole []string
	for path, f := range r.tree {
		number := func(fact string) (n int64) { fmt.Sscan(f[fact], &n); return n }
		size := number("size")
		if f["type"] == "file" && 0 < size && size < 100<<20 && number("blocks") == (size+4095)/4096 && !strings.Contains(path, "\n") {
			whole = append(whole, filepath.Join(r.root, path))
		}
	}
	slices.Sort(whole)
	contiguous := 0
	for some := range slices.Chunk(whole, 100) {
		out := output(t, exec.Command(which("filefrag"), some...))
		contiguous += strings.Count(out+"\n", ": 1 extent found\n")
	}
	if contiguous*100 < len(whole)*99 {
		t.Errorf("%d of %d files have a single extent", contiguous, len(whole))
	}
	if len(whole) < 100 {
		t.Errorf("only %d files were checked", len(whole))
	}
}

// indexDumped checks that debugfs finds every name through the htrees.
func (r rich) indexDumped(t *testing.T) {
	if !testedFiller.keepsAll {
		t.Skip("mkfs.ext4 -d makes no htree")
	}
	for dir, levels := range map[string]int{"wide-339-4": 0, "wide-2000-20": 0, "wide-8000-255": 1} {
		out := output(t, exec.Command(which("debugfs"), "-R", "htree_dump /"+dir, r.image))
		for _, line := range []string{"\t Hash Version: 1\n", fmt.Sprintf("\t Indirect levels: %d\n", levels)} { // half_md4
			if !strings.Contains(out, line) {
				t.Errorf("%s: no %q in %.500q", dir, line, out)
			}
		}
		found := map[string]bool{}
		for _, word := range strings.Fields(out) {
			found[word] = true
		}
		for _, name := range list(t, filepath.Join(r.root, dir)) {
			if !found[name] {
				t.Errorf("%s: %.20s is not in the htree", dir, name)
			}
		}
	}
}

// hostFile checks that free blocks, the journal and unused inode tables take
// no space on the host.
func (r rich) hostFile(t *testing.T) {
	super := dumpe2fs(t, r.image)
	n := func(key string) int64 { return super.number(t, key) }
	groups := (n("Block count") + n("Blocks per group") - 1) / n("Blocks per group")
	used := n("Block count") - n("Free blocks") - n("Total journal blocks") - groups*n("Inode blocks per group")
	limit := used*4096 + (n("Inode count")-n("Free inodes"))*256
	if _, sectors := layout(t, r.image); sectors*512 > limit+4<<20 {
		t.Errorf("%d bytes on the host, want about %d", sectors*512, limit)
	}
	if st, err := os.Stat(r.image); err != nil || st.Size() != n("Block count")*4096 {
		t.Errorf("the file has %d bytes, the filesystem %d blocks, %v", st.Size(), n("Block count"), err)
	}
}
