// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"banger/lib/sparse"
	"banger/lib/tar/tartest"
)

// Invalid maps of sparse files, and unusual valid ones.
func TestSparseMaps(t *testing.T) {
	old := func(size int64, data string, pairs ...int64) []byte {
		return tartest.Entry{Name: "s", Type: 'S', Data: data, Poke: tartest.OldSparse(size, pairs...)}.Bytes()
	}
	block := func(s string) string { return s + strings.Repeat("\x00", -len(s)&511) }
	v1 := func(realsize, data string) []byte {
		return join(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "s", "GNU.sparse.realsize", realsize),
			file("x", data))
	}
	v01 := func(size, m, data string) []byte {
		return join(tartest.Pax("GNU.sparse.size", size, "GNU.sparse.map", m), file("s", data))
	}
	v01c := func(count, m string) []byte {
		return join(tartest.Pax("GNU.sparse.size", "100", "GNU.sparse.numblocks", count, "GNU.sparse.map", m), file("s", "a"))
	}
	for _, c := range []struct {
		name    string
		archive []byte
		want    string
		err     string
	}{
		{"old GNU", join(old(100, "ab", 10, 1, 20, 1), a), `0"s"=ab[{10 1} {20 1}] of 100 0"a"=1`, ""},
		{"old GNU, only a hole", join(old(100, "", 100, 0), a), `0"s"[] of 100 0"a"=1`, ""},
		{"old GNU, not in a GNU header", tartest.Entry{Name: "s", Type: 'S'}.Bytes(), "", "not a GNU header"},
		{"old GNU, out of order", old(100, "ab", 20, 1, 10, 1), "", "invalid map: 1 bytes at 10"},
		{"old GNU, overlapping", old(100, "abcd", 10, 2, 11, 2), "", "invalid map: 2 bytes at 11"},
		{"old GNU, beyond the end", old(100, "ab", 99, 2), "", "invalid map: 2 bytes at 99 in a file of 100"},
		{"old GNU, over 64 bits", old(1<<33-1, "ab", 1<<33-1, 1<<33-1), "", "invalid map: 8589934591 bytes"},
		{"old GNU, less than the data", old(100, "abc", 10, 2), "", "does not match the size of the data"},
		{"old GNU, more than the data", old(100, "a", 10, 2), "", "does not match the size of the data"},
		{"0.1", join(v01("100", "10,1,20,1", "ab"), a), `0"s"=ab[{10 1} {20 1}] of 100 0"a"=1`, ""},
		{"0.1, an odd map", v01("100", "10,1,20", "ab"), "", "odd number"},
		{"0.1, not a number", v01("100", "10,x", "ab"), "", "invalid number"},
		{"0.1, a negative offset", v01("100", "-1,1", "a"), "", "invalid map: 1 bytes at -1"},
		{"0.1, a negative length", v01("100", "5,-1", ""), "", "invalid map: -1 bytes at 5"},
		{"0.1, a negative size", v01("-1", "0,0", ""), "", "does not match the size"},
		{"0.0, not alternating", join(tartest.Pax("GNU.sparse.size", "9", "GNU.sparse.offset", "1", "GNU.sparse.offset", "1"), a), "", "do not alternate"},
		{"0.1, a wrong count", v01c("2", "10,1"), "", "map has 1 entries, but"},
		{"0.0, truncated", join(tartest.Pax("GNU.sparse.size", "9", "GNU.sparse.offset", "1"), a), "", "odd number"},
		{"1.0", join(v1("100", block("2\n10\n1\n20\n1\n")+"ab"), a), `0"s"=ab[{10 1} {20 1}] of 100 0"a"=1`, ""},
		{"1.0, over two blocks", join(v1("999", block("200\n"+strings.Repeat("0\n0\n", 199)+"9\n1\n")+"a"), a),
			`0"s"=a[{9 1}] of 999 0"a"=1`, ""},
		{"1.0, no count", v1("100", block("x\n")), "", "invalid number"},
		{"1.0, a line without end", v1("100", block(strings.Repeat("1", 30))), "", "invalid line"},
		{"1.0, a negative count", v1("100", block("-1\n")), "", "invalid map: -1 entries"},
		{"an unknown version", join(tartest.Pax("GNU.sparse.major", "2", "GNU.sparse.minor", "0"), a), "", `version "2.0"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := show(bytes.NewReader(c.archive))
			if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got  %s, %v\nwant %s, %s", got, err, c.want, c.err)
			}
		})
	}
}

// A map of the old GNU format that continues without end is rejected.
func TestEndlessMap(t *testing.T) {
	head := tartest.Entry{Name: "s", Type: 'S', Poke: func(h []byte) {
		tartest.OldSparse(0)(h)
		h[482] = 1
	}}.Bytes()
	full, nothing := make([]byte, 512), make([]byte, 512)
	for i := range 21 {
		copy(full[24*i:], tartest.Octal(0)+tartest.Octal(1))
		copy(nothing[24*i:], tartest.Octal(0)+tartest.Octal(0))
	}
	full[504], nothing[504] = 1, 1
	empty := make([]byte, 512)
	empty[504] = 1
	for name, block := range map[string][]byte{"full": full, "of nothing": nothing, "empty": empty} {
		in := io.MultiReader(bytes.NewReader(head), &endless{block: block})
		if _, err := NewReader(in).Next(); err == nil {
			t.Errorf("%s: read to its end", name)
		}
	}
}

// endless repeats a block forever.
type endless struct {
	block []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}

// Sparse files archived by GNU tar in each of its formats have the same content:
// a file of many ranges, and one that is a single hole.
func TestGNUTar(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	want := map[string][]byte{"all-hole": make([]byte, 1<<20), strings.Repeat("long", 50): []byte("l"), "dense": []byte("dense")}
	want["sparse"] = make([]byte, 3<<20)
	for at := 0; at < 2<<20; at += 64 << 10 {
		copy(want["sparse"][at:], bytes.Repeat([]byte("x"), 5000))
	}
	for name, content := range want {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sparse.Write(f, &sparse.Source{Reader: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for _, format := range [][]string{
		{"--format=gnu"}, {"--format=gnu", "-S"}, {"--format=oldgnu", "-S"}, {"--format=pax"},
		{"--format=pax", "-S", "--sparse-version=0.0"}, {"--format=pax", "-S", "--sparse-version=0.1"}, {"--format=pax", "-S", "--sparse-version=1.0"},
	} {
		archive, err := exec.Command("tar", append(slices.Clip(format), "-cf-", "-C", dir, ".")...).Output()
		if err != nil {
			t.Fatal(format, err)
		}
		got := unpack(t, archive)
		if len(archive) > 3<<20 != (len(format) == 1) {
			t.Errorf("%v: archive of %d bytes, want a sparse one", format, len(archive))
		}
		for name, content := range want {
			if !bytes.Equal(got["./"+name], content) {
				t.Errorf("%v: %.20s has %d bytes, not its %d", format, name, len(got["./"+name]), len(content))
			}
		}
		if len(got) != len(want) {
			t.Errorf("%v: %d files", format, len(got))
		}
	}
}

// unpack returns the files of an archive.
func unpack(t *testing.T, archive []byte) map[string][]byte {
	files := map[string][]byte{}
	r := NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Type != File {
			continue
		}
		content := make([]byte, h.Size)
		src := &sparse.Source{Reader: r, Size: h.Size, Data: h.Data, Holes: h.Sparse}
		if _, err := sparse.Scan(src, func(p []byte, off int64) error {
			copy(content[off:], p)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		files[h.Name] = content
	}
}
