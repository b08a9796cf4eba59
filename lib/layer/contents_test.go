// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"banger/lib/tree"

	"banger/lib/tar/tartest"
)

func TestTypes(t *testing.T) {
	check(t, []rule{{
		name: "Contents: typeflags 0, NUL and 7 are files",
		layers: layers(pack(tartest.Entry{Name: "a", Type: '0', Data: "1"}.Bytes(), tartest.Entry{Name: "b", Type: 0, Data: "2"}.Bytes(),
			tartest.Entry{Name: "c", Type: '7', Data: "3"}.Bytes())),
		want: "a:1 b:2 c:3",
	}, {
		name:   "Contents: NUL or 0 with a trailing / is a directory",
		layers: layers(pack(tartest.Entry{Name: "a/", Type: 0}.Bytes(), tartest.Entry{Name: "b/", Type: '0'}.Bytes())),
		want:   "a/{0644} b/{0644}",
	}, {
		name: "Contents: an unknown typeflag is named", layers: layers(pack(tartest.Entry{Name: "a", Type: 'V'}.Bytes())), err: "'V'",
	}, {
		name:   "Contents: a v7 archive, without a magic number",
		layers: layers(pack(tartest.Entry{Name: "a", Type: 0, Data: "1", Poke: func(h []byte) { clear(h[257:265]) }}.Bytes())),
		want:   "a:1",
	}, {
		name:   "Contents: lost+found/ is a directory like any other",
		layers: layers(pack(dir("lost+found", mode(0o750)), file("lost+found/x", "1"), file("d/lost+found", "2"))),
		want:   "d/ d/lost+found:2 lost+found/{0750} lost+found/x:1",
	}, {
		name: "Contents: a file called lost+found", layers: layers(pack(file("lost+found", ""))), err: "reserved",
	}, {
		name:   "Contents: a hard link called lost+found",
		layers: layers(pack(file("x", ""), hard("./lost+found", "x"))),
		err:    "reserved",
	}, {
		name:   "Contents: eStargz and zstd:chunked entries are ordinary files",
		layers: layers(pack(file(".no.prefetch.landmark", "\xf0"), file("stargz.index.json", "{}"))),
		want:   `.no.prefetch.landmark:\360 stargz.index.json:\173\175`,
	}})
}

func TestEnds(t *testing.T) {
	a := file("a", "12345")
	cut := append([]byte(nil), a...)
	check(t, []rule{{
		name: "Contents: no zero blocks at the end", layers: layers(a), want: "a:12345",
	}, {
		name: "Contents: one zero block at the end", layers: layers(append(cut[:len(a):len(a)], make([]byte, 512)...)), want: "a:12345",
	}, {
		name: "Contents: an empty archive", layers: layers(nil, pack()), want: "",
	}, {
		name: "Contents: truncated inside a header", layers: layers(a[:300]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated between a header and its file", layers: layers(a[:512]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated inside a file", layers: layers(a[:514]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated inside a large file", err: "unexpected EOF",
		layers: layers(file("a", strings.Repeat("1", 1<<20))[:700<<10]),
	}, {
		name: "Contents: truncated inside a skipped file", layers: layers(file(".wh.a", "12345")[:514]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated inside an extended header", err: "EOF",
		layers: layers(tartest.Pax("path", strings.Repeat("x", 3000))[:1500]),
	}, {
		name: "Contents: truncated after an extended header", err: "EOF", layers: layers(tartest.Pax("path", "x")),
	}, {
		name:   "Contents: a damaged header checksum is an error, not the end (apple/containerization#927)",
		layers: layers(pack(a, tartest.Entry{Name: "b", Type: '0', Damage: true}.Bytes())),
		err:    "header",
	}})
}

func TestLimits(t *testing.T) {
	image := newImage(t)
	image.reader.MaxSize, image.reader.MaxEntries = 10, 3
	if err := image.apply(pack(file("a", "12345")), pack(file("b", "12345"))); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
	if err := image.apply(pack(file("c", "1"))); err == nil || !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte more than allowed: %v", err)
	}
	if err := image.apply(pack(dir("d"))); err == nil || !errors.Is(err, ErrTooManyEntries) {
		t.Errorf("one entry more than allowed: %v", err)
	}
}

// Contents are stored under numbers; no other file is created.
func TestNumbersOnly(t *testing.T) {
	image := newImage(t)
	err := image.apply(pack(file("../../etc/passwd", "1"), dir("d"), symlink("l", "/etc"), file("l/x", "2"),
		node("null", '3', 1, 3), hard("h", "d/../etc/passwd"), file(strings.Repeat("1", 200), "3")))
	if err != nil {
		t.Fatal(err)
	}
	number, files := regexp.MustCompile(`^0/[0-9]$`), 0
	err = fs.WalkDir(os.DirFS(image.dir), "0", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "0" {
			return err
		}
		files++
		info, err := e.Info()
		if err != nil || !number.MatchString(path) || info.Mode() != 0o600 {
			t.Errorf("%s %v %v", path, info.Mode(), err)
		}
		return nil
	})
	if names, _ := os.ReadDir(image.dir); err != nil || len(names) != 1 || files != 3 {
		t.Errorf("%d files for three contents, in %v, %v", files, names, err)
	}
}

func TestMaxLinks(t *testing.T) {
	entries := [][]byte{file("f", "")}
	for i := range tree.MaxLinks - 1 {
		entries = append(entries, tartest.Entry{Name: fmt.Sprintf("h%d", i), Link: "f", Type: '1'}.Bytes())
	}
	image := newImage(t)
	image.reader.MaxEntries = 1 << 20
	if err := image.apply(pack(entries...)); err != nil {
		t.Fatalf("65,000 names: %v", err)
	}
	if err := image.apply(pack(hard("more", "f"))); err == nil || !strings.Contains(err.Error(), "65000") {
		t.Errorf("65,001 names: %v", err)
	}
}
