// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// grow adds a random tree: every type, long and odd names, hard links, xattrs, and
// files with holes.
func (s *source) grow(seed int64, entries int) {
	r := rand.New(rand.NewSource(seed))
	dirs, files := []string{"."}, map[string]*tree.Inode{}
	var names []string
	for i := range entries {
		name := fmt.Sprintf("%s/%d-%s", dirs[r.Intn(len(dirs))], i, strings.Repeat("\xffn ", r.Intn(60)))
		n := tree.Inode{Type: tree.Type(r.Intn(int(tree.Socket))), Mode: uint16(r.Intn(0o10000)),
			UID: r.Uint32() >> 1, GID: uint32(r.Intn(70000)), Sec: r.Int63n(1<<34) - 1<<31, Nsec: uint32(r.Intn(1e9))}
		content := ""
		switch n.Type {
		case tree.Dir:
			dirs = append(dirs, name)
		case tree.Symlink:
			n.Target = strings.Repeat("t", 1+r.Intn(4095))
		case tree.Char, tree.Block:
			n.Major, n.Minor = uint32(r.Intn(1<<12)), uint32(r.Intn(1<<20))
		case tree.File:
			n.Xattrs = []tree.Xattr{{Name: "user.x", Value: strings.Repeat("v", r.Intn(60))}}
			for range r.Intn(20) {
				content += strings.Repeat(string("\x00x"[r.Intn(2)]), r.Intn(9000))
			}
		}
		added := s.add(name, n, content)
		if n.Type == tree.File {
			files[name] = added
			names = append(names, name)
		}
		if len(names) > 0 && r.Intn(5) == 0 {
			old := names[r.Intn(len(names))]
			s.link(name+"-link", files[old], old)
		}
	}
}

// Images of random trees are clean for e2fsck and have the required free space.
func TestGeneratedTrees(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		for seed := range int64(4) {
			s := newSource(t)
			s.grow(seed, 300)
			m := s.image(Options{Free: -1, Created: 1600000000})
			d := measure(s.tree)
			used := int64(m.InodeCount()) - m.FreeInodes()
			if m.Size() < 1<<30 || m.FreeBlocks()*4 < d.content || m.FreeInodes()*4 < used {
				t.Errorf("seed %d: %d bytes, %d of %d blocks free, %d inodes of %d used", seed, m.Size(), m.FreeBlocks(), m.Blocks(), used, m.InodeCount())
			}
			if want := d.inodes + baseInodes; used != want {
				t.Errorf("seed %d: %d inodes used, want %d", seed, used, want)
			}
		}
	})
}

// Contents are copied, zero blocks as holes.
func TestContents(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		content := strings.Repeat("x", blockSize) + strings.Repeat("\x00", 300*blockSize) + "end"
		s := newSource(t)
		f := s.add("f", tree.Inode{Mode: 0o600}, content)
		s.link("g", f, "f")
		m := s.image(small)
		for _, name := range []string{"f", "g"} {
			file := t.TempDir() + "/out"
			debugfs(t, m, fmt.Sprintf("dump <%d> %s", m.mustEntry(t, name), file))
			if raw, err := os.ReadFile(file); err != nil || string(raw) != content {
				t.Errorf("%s: %d bytes, %v", name, len(raw), err)
			}
		}
		if text := stat(t, m, "f"); !strings.Contains(text, "Links: 2   Blockcount: 16\n") {
			t.Errorf("want 16 blocks of 512 bytes: %s", text)
		}
	})
}

func TestFree(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		s.grow(7, 50)
		for _, free := range []int64{0, 1, 2 << 30} {
			m := s.image(Options{Free: free, Created: 1})
			if m.FreeBytes() < free || m.Size() < 1<<30 {
				t.Errorf("--free %d: %d bytes free of %d", free, m.FreeBytes(), m.Size())
			}
		}
	})
}

func TestMinimal(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		s.add("big", tree.Inode{}, strings.Repeat("x", 40<<20))
		m := s.image(Options{Minimal: true, Created: 1})
		if m.Size() >= 1<<30 || m.FreeBytes() > 4<<20 {
			t.Errorf("--size min: %d bytes free of %d", m.FreeBytes(), m.Size())
		}
	})
}

var minimum = regexp.MustCompile(`--size (\d+) is the minimum`)

// The hint for a size that is too small names the minimum, which is sufficient.
func TestTooSmall(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		s.add("big", tree.Inode{}, strings.Repeat("x", 40<<20))
		s.grow(3, 200)
		_, err := s.create(Options{Size: 20 << 20, Free: -1, Created: 1})
		found := minimum.FindStringSubmatch(status.HintOf(err))
		if status.Of(err) != status.Create || found == nil {
			t.Fatalf("status %d: %v, hint %s", status.Of(err), err, status.HintOf(err))
		}
		size, _ := strconv.ParseInt(found[1], 10, 64)
		s.image(Options{Size: size, Free: -1, Created: 1})
		for _, less := range []int64{size - sizeStep, 1, 1 << 20} {
			if _, err := s.create(Options{Size: less, Free: -1, Created: 1}); status.Of(err) != status.Create {
				t.Errorf("%d bytes, minimum %d: %v", less, size, err)
			}
		}
	})
}

// sum returns a digest of a file: its size and its nonzero blocks with their
// offsets.
func sum(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	usage, err := sparse.ScanFile(f, func(p []byte, off int64) error {
		for at := 0; at < len(p); at += blockSize {
			h.Write(le.AppendUint64(nil, uint64(off)+uint64(at)))
			h.Write(p[at:min(at+blockSize, len(p))])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h.Sum(le.AppendUint64(nil, uint64(usage.Size)))
}

// lost+found is that of mke2fs unless the tree has one.
func TestLostFound(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		m := newSource(t).image(small)
		if got := owner(t, stat(t, m, "lost+found")); got != "directory 0700 0 0" {
			t.Errorf("of mke2fs: %s", got)
		}
		s := newSource(t)
		s.add("lost+found", tree.Inode{Type: tree.Dir, Mode: 0o750, UID: 3}, "")
		s.add("lost+found/x", tree.Inode{}, "1")
		m = s.image(small)
		if got := owner(t, stat(t, m, "lost+found")); got != "directory 0750 3 0" {
			t.Errorf("of the tree: %s", got)
		}
		if _, err := m.Open("/lost+found/x"); err != nil {
			t.Errorf("file in lost+found: %v", err)
		}
	})
}

// A tree that differs from the directory is an error.
func TestOtherTree(t *testing.T) {
	for name, change := range map[string]func(s *source){
		"an extra name":  func(s *source) { s.tree.Root.Put("more", &tree.Inode{Type: tree.Fifo}, nil) },
		"a missing name": func(s *source) { s.tree.Root.Remove("f", nil) },
		"another size":   func(s *source) { s.tree.Root.Lookup("f").Size++ },
		"another nlink": func(s *source) {
			s.tree.Root.Link("g", s.tree.Root.Lookup("f"), nil)
			os.WriteFile(s.root+"/g", []byte("1"), 0o600)
		},
	} {
		s := newSource(t)
		s.add("f", tree.Inode{}, "1")
		change(s)
		if _, err := s.create(small); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestInterrupted(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		program(t, "mkfs.ext4")
		mkfs, err := FindMkfs(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s := newSource(t)
		file := t.TempDir() + "/x"
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		o := small
		o.Tree, o.Root = s.tree, s.root
		if err := mkfs.Create(ctx, file, o); err != context.Canceled {
			t.Errorf("%v", err)
		}
	})
}
