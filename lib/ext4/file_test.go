// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/tree"
)

// contentsOf are files of all shapes that extents take.
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

// What is read is what debugfs dumps and what went in, by whole files and by
// pieces.
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

// pieces reads at random places, beyond the end too.
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
