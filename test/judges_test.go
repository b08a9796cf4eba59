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

// TestJudges: e2fsprogs and the kernel, which know the format best, are given
// one rich image to look at and, on copies, to work on. Whatever they do, what
// the image holds stays the same, and e2fsck finds nothing to say.
func TestJudges(t *testing.T) {
	needRoot(t)
	need(t, "e2fsck", "dumpe2fs", "debugfs", "resize2fs", "filefrag", "mount", "umount")
	// A seed with few names in lost+found: after e2fsck 1.47 -D has rewritten
	// one that has an index, the kernel's own too, e2fsck -n complains of it.
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
		t.Errorf("a judge has changed the image: sha256 %s, was %s", after, before)
	}
}

// rich is an image, where it is mounted, and what it holds.
type rich struct {
	image, root string
	tree        map[string]facts
}

// unchanged: a copy that somebody has worked on is clean, and holds the same.
func (r rich) unchanged(t *testing.T, file string) {
	t.Helper()
	clean(t, file)
	t.Run("tree", func(t *testing.T) { sameTree(t, readTree(t, mount(t, file)), r.tree) })
}

// rebuilt: e2fsck -D rewrites every directory, after it has understood it.
func (r rich) rebuilt(t *testing.T) {
	file := copyOf(t, r.image)
	cmd := exec.Command(which("e2fsck"), "-fyD", file)
	if said, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("e2fsck -fyD: %v\n%s", err, said)
	}
	r.unchanged(t, file)
}

// resized: twice as large, as small as can be, and what it was. When resize2fs
// gives inodes other numbers, which it does only to shrink, their directories
// get the time of that.
func (r rich) resized(t *testing.T) {
	file := copyOf(t, r.image)
	resize := func(args ...string) { output(t, exec.Command(which("resize2fs"), append([]string{"-f"}, args...)...)) }
	blocks := dumpe2fs(t, file).number(t, "Block count")
	resize(file, fmt.Sprint(2*blocks))
	r.unchanged(t, file)
	want := withoutDirTimes(r.tree)
	for _, args := range [][]string{{"-M", file}, {file, fmt.Sprint(blocks)}} {
		resize(args...)
		clean(t, file)
		t.Run("tree", func(t *testing.T) { sameTree(t, withoutDirTimes(readTree(t, mount(t, file))), want) })
	}
	if got := dumpe2fs(t, file).number(t, "Block count"); got != blocks {
		t.Errorf("%d blocks, were %d", got, blocks)
	}
}

// withoutDirTimes is a tree whose directories have no time.
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

// contiguous: 99 of 100 files that have no holes are in one piece.
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
	pieces := 0
	for some := range slices.Chunk(whole, 100) {
		said := output(t, exec.Command(which("filefrag"), some...))
		pieces += strings.Count(said+"\n", ": 1 extent found\n")
	}
	if pieces*100 < len(whole)*99 {
		t.Errorf("%d of %d files are in one piece", pieces, len(whole))
	}
	if len(whole) < 100 {
		t.Errorf("only %d files were looked at", len(whole))
	}
}

// indexDumped: debugfs finds its way through an index, of one level and of two,
// to every name.
func (r rich) indexDumped(t *testing.T) {
	if !judged.whole {
		t.Skip("mkfs.ext4 -d makes no index")
	}
	for dir, levels := range map[string]int{"wide-339-4": 0, "wide-2000-20": 0, "wide-8000-255": 1} {
		said := output(t, exec.Command(which("debugfs"), "-R", "htree_dump /"+dir, r.image))
		for _, line := range []string{"\t Hash Version: 1\n", fmt.Sprintf("\t Indirect levels: %d\n", levels)} { // half_md4
			if !strings.Contains(said, line) {
				t.Errorf("%s: no %q in %.500q", dir, line, said)
			}
		}
		found := map[string]bool{}
		for _, word := range strings.Fields(said) {
			found[word] = true
		}
		for _, name := range list(t, filepath.Join(r.root, dir)) {
			if !found[name] {
				t.Errorf("%s: %.20s is not in the index", dir, name)
			}
		}
	}
}

// hostFile: what has no content takes no space on the host: neither free
// blocks, nor the journal, nor tables of inodes that nobody uses.
func (r rich) hostFile(t *testing.T) {
	super := dumpe2fs(t, r.image)
	n := func(key string) int64 { return super.number(t, key) }
	groups := (n("Block count") + n("Blocks per group") - 1) / n("Blocks per group")
	used := n("Block count") - n("Free blocks") - n("Total journal blocks") - groups*n("Inode blocks per group")
	most := used*4096 + (n("Inode count")-n("Free inodes"))*256
	if _, sectors := layout(t, r.image); sectors*512 > most+4<<20 {
		t.Errorf("%d bytes on the host, for %d", sectors*512, most)
	}
	if st, err := os.Stat(r.image); err != nil || st.Size() != n("Block count")*4096 {
		t.Errorf("the file has %d bytes, the filesystem %d blocks, %v", st.Size(), n("Block count"), err)
	}
}
