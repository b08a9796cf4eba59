// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/tree"
)

// contentsOf returns files with all kinds of extent trees.
func contentsOf() map[string]string {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	holes := make([]byte, 0, 8<<20)
	for i := range 300 { // more extents than the inode holds, or one block
		holes = append(holes, noise[i*4096:][:4096]...)
		holes = append(holes, make([]byte, 4096*(1+i%3))...)
	}
	return map[string]string{
		"empty": "", "one": "x", "block": string(noise[:4096]), "more": string(noise[:4097]), "large": string(noise),
		"holes": string(holes), "zeros": strings.Repeat("\x00", 100_000), "end": strings.Repeat("\x00", 50_000) + "end",
	}
}

// The content of a file, read whole or in pieces, matches the original and the
// output of debugfs.
func TestFile(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		for name, content := range contentsOf() {
			s.add(name, tree.Inode{Mode: 0o750}, content)
		}
		s.add("dir", tree.Inode{Type: tree.Dir, Mode: 0o700}, "")
		m := s.image(small)
		for name, content := range contentsOf() {
			f, err := m.Open("/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if f.Type != tree.File || f.Mode != 0o750 || f.Size != int64(len(content)) {
				t.Errorf("%s: %v %o, %d bytes", name, f.Type, f.Mode, f.Size)
			}
			got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size))
			if err != nil || string(got) != content {
				t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(content), err)
			}
			dumped := filepath.Join(t.TempDir(), name)
			debugfs(t, m, "dump /"+name+" "+dumped)
			if raw, err := os.ReadFile(dumped); err != nil || !bytes.Equal(raw, got) {
				t.Errorf("%s: debugfs dumps %d bytes, %v", name, len(raw), err)
			}
			pieces(t, f, content)
		}
		if f, err := m.Open("/dir"); err != nil || f.Type != tree.Dir || f.Mode != 0o700 {
			t.Errorf("dir: %+v, %v", f, err)
		}
	})
}

// pieces reads at random offsets, including beyond the end.
func pieces(t *testing.T, f *File, content string) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		at, p := random.IntN(len(content)+10), make([]byte, random.IntN(20_000))
		n, err := f.ReadAt(p, int64(at))
		want := content[min(at, len(content)):min(at+len(p), len(content))]
		if string(p[:n]) != want || (n < len(p)) != (err == io.EOF) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d of %d: %d, %v", len(p), at, len(content), n, err)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the start")
	}
}

// Stored visits the content without holes, followed by zeros up to the end of the
// last block.
func TestVisitBlocks(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		for name, content := range contentsOf() {
			s.add(name, tree.Inode{}, content)
		}
		m := s.image(small)
		for name, content := range contentsOf() {
			f, err := m.Open("/" + name)
			if err != nil {
				t.Fatal(err)
			}
			got, blocks, last := make([]byte, blocksOf(f.Size)*blockSize), int64(0), int64(0)
			err = f.VisitBlocks(func(off int64, p []byte) error {
				if off < last || len(p) == 0 || len(p) > 1<<20 || len(p)%blockSize != 0 {
					t.Errorf("%s: %d bytes at %d, after %d", name, len(p), off, last)
				}
				last = off + int64(len(p))
				blocks += int64(len(p)) / blockSize
				copy(got[off:], p)
				return nil
			})
			want := make([]byte, len(got))
			copy(want, content)
			if n := s.tree.Root.Lookup(name); err != nil || blocks != n.Blocks || !bytes.Equal(got, want) {
				t.Errorf("%s: %d blocks of %d, %v", name, blocks, n.Blocks, err)
			}
			if err := f.VisitBlocks(func(int64, []byte) error { return io.EOF }); blocks > 0 && err != io.EOF {
				t.Errorf("%s: the visitor's error: %v", name, err)
			}
		}
	})
}

// Unwritten extents, those of blocks that fallocate(2) reserves, read as zeros,
// whatever is in the blocks. A directory that has one is damaged.
func TestUnwritten(t *testing.T) {
	s := newSource(t)
	want := strings.Repeat("1"+strings.Repeat("\x00", 2*blockSize-1), 400) // the extents take a block of the tree
	s.add("f", tree.Inode{}, want)
	s.add("empty", tree.Inode{}, "")
	m := s.image(Options{Size: 256 << 20, Free: -1, Created: 1600000000})
	sizes := map[string]int{"f": len(want) + 7*blockSize, "empty": 40000 * blockSize} // more than one extent holds
	for name, size := range sizes {
		for _, command := range []string{
			fmt.Sprintf("fallocate /%s 0 %d", name, size/blockSize+2), // beyond the end too, as FALLOC_FL_KEEP_SIZE does
			fmt.Sprintf("set_inode_field /%s size %d", name, size),
		} {
			debugfs(t, m, command, "-w")
		}
	}
	debugfs(t, m, "set_super_value mnt_count 1", "-w")
	fsck(t, m.f.Name())
	m = opened(t, m.f.Name())
	for name, size := range sizes {
		m.eachUnwritten(t, name, func(e extent) {
			if _, err := m.f.WriteAt(bytes.Repeat([]byte("x"), blockSize), e.physical*blockSize); err != nil {
				t.Fatal(err)
			}
		})
		got, err := m.ReadFile("/"+name, 1<<30)
		whole := make([]byte, size)
		if name == "f" {
			copy(whole, want)
		}
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if err := m.Sound(t.Context()); err != nil {
		t.Error(err)
	}
	m.editInode(t, rootIno, func(raw []byte) {
		count := raw[inBlock+extentSize+4:]
		le.PutUint16(count, le.Uint16(count)+maxExtentLen)
	})
	if _, err := m.Names("/"); !errors.Is(err, errExtent) {
		t.Errorf("a directory: %v", err)
	}
}

// eachUnwritten calls visit for each unwritten extent of a file, of which there is one
// at least.
func (m *Image) eachUnwritten(t *testing.T, name string, visit func(extent)) {
	t.Helper()
	ino := m.mustEntry(t, name)
	raw, err := m.readInode(ino)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = m.walkExtents(ino, raw, func(int64) {}, func(e extent, unwritten bool) error {
		if unwritten {
			count++
			visit(e)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Fatalf("%s: %d unwritten extents, %v", name, count, err)
	}
}

func TestNames(t *testing.T) {
	m := paths(t).image(small)
	if got, err := m.Names("/up/lib"); err != nil || strings.Join(got, " ") != "init" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := m.Names("/many"); err != nil || len(got) != 200 || got[0] != "000"+strings.Repeat("n", 100) {
		t.Errorf("%d names, %v", len(got), err)
	}
	for _, path := range []string{"/none", "/usr/lib/init"} {
		if got, err := m.Names(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
