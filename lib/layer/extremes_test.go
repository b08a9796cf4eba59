// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
	"time"
)

// Extended headers separated from their entry, or larger than a megabyte, are
// applied.
func TestExtendedHeaders(t *testing.T) {
	x := tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes()
	value := strings.Repeat("v", 64<<10)
	var large []string
	for i := range 17 {
		large = append(large, fmt.Sprintf("SCHILY.xattr.user.%c", 'a'+i), value)
	}
	check(t, []rule{{
		name: "Metadata: pax: path and linkpath win over GNU's long ones, in either order (GNU tar, bsdtar)",
		layers: layers(pack(long('L', "long\x00"), tartest.Pax("path", "a"), x,
			tartest.Pax("path", "b"), long('L', "long\x00"), x,
			long('K', "long\x00"), tartest.Pax("linkpath", "t"), tartest.Entry{Name: "l", Link: "u", Type: '2'}.Bytes())),
		want: "a:1 b:1 l->t",
	}, {
		name:   "Metadata: a global header between an extended header and its entry is ignored (GNU tar, bsdtar)",
		layers: layers(pack(tartest.Pax("path", "a", "uid", "7"), tartest.Global("comment", "c"), x, long('L', "long\x00"), tartest.Global("comment", "c"), x)),
		want:   "a:1{7:0} long:1",
	}, {
		name: "Contents: truncated after an extended header and a global one", err: "layer 1",
		layers: layers(pack(tartest.Pax("path", "a"), tartest.Global("comment", "c"))),
	}, {
		name:   "Metadata: seventeen xattrs of 64 KiB on one file",
		layers: layers(pack(tartest.Pax(large...), x)),
		want:   "x:1{" + showXattrs(17, value) + "}",
	}, {
		name:   "Metadata: pax: an xattr name with a NUL is skipped (Go pax-nul-xattrs.tar)",
		layers: layers(pack(tartest.Pax("SCHILY.xattr.user.a\x00b", "v"), x)),
		want:   "x:1",
	}, {
		name:   "Links: a size and no data, a checksum of signed bytes after it (POSIX pax, chksum; SunOS)",
		layers: layers(pack(file("a", "1"), tartest.Entry{Name: "b", Link: "a", Type: '1', Size: "00000000001\x00"}.Bytes(), signed(tartest.Entry{Name: "\xff", Type: '0', Data: "2"}.Bytes()))),
		want:   `a:1 b=a \377:2`,
	}, {
		name: "Contents: sparse: an unknown pax version (libarchive rejects it)", err: "layer 1",
		layers: layers(pack(tartest.Pax("GNU.sparse.major", "2", "GNU.sparse.minor", "0", "GNU.sparse.name", "s", "GNU.sparse.realsize", "3"),
			tartest.Entry{Name: "GNUSparseFile.0/s", Type: '0', Data: "1\n0\n3\n"}.Bytes())),
	}})
}

func showXattrs(n int, value string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("user.%c=%s", 'a'+i, value))
	}
	return strings.Join(all, ",")
}

// A pax time that does not fit into 64 bits is clamped to the range of ext4.
func TestTimesBeyond64Bits(t *testing.T) {
	for _, c := range []struct{ mtime, want string }{
		{"99999999999999999999", "x:1{@15032385535.000000000}"},
		{"99999999999999999999.5", "x:1{@15032385535.000000000}"},
		{"-99999999999999999999", "x:1{@-2147483648.000000000}"},
		{"9223372036854775807", "x:1{@15032385535.000000000}"},
		{"-9223372036854775808.5", "x:1{@-2147483648.000000000}"},
	} {
		image := newImage(t)
		if err := image.apply(pack(tartest.Pax("mtime", c.mtime), tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes())); err != nil {
			t.Errorf("Metadata: mtime %s: %v", c.mtime, err)
			continue
		}
		if got := image.show(); got != c.want {
			t.Errorf("Metadata: mtime %s is clamped: got %s, want %s", c.mtime, got, c.want)
		}
		if len(image.warned) != 1 || !strings.Contains(image.warned[0], "clamped") {
			t.Errorf("Metadata: mtime %s is clamped with a warning: %q", c.mtime, image.warned)
		}
	}
}

// Data after the end of an archive is ignored, with a warning if it is not zeros
// (libarchive tar_concatenated).
func TestBehindTheEnd(t *testing.T) {
	a, b := pack(file("a", "1")), pack(file("b", "2"))
	for _, c := range []struct {
		name    string
		archive []byte
		want    string
		warned  bool
	}{
		{"another archive", slices.Concat(a, b), "a:1", true},
		{"another archive, a record later", slices.Concat(a, make([]byte, 9000), b), "a:1", true},
		{"an archive after an empty one", slices.Concat(pack(), b), "", true},
		{"garbage", slices.Concat(a, []byte("garbage")), "a:1", true},
		{"one byte, a megabyte later", slices.Concat(a, make([]byte, 1<<20), []byte{1}), "a:1", true},
		{"zeros", slices.Concat(a, make([]byte, 1<<20+7)), "a:1", false},
		{"nothing", a, "a:1", false},
	} {
		image := newImage(t)
		if err := image.apply(c.archive); err != nil {
			t.Errorf("Contents: after the end, %s: %v", c.name, err)
			continue
		}
		if got := image.show(); got != c.want {
			t.Errorf("Contents: after the end, %s: got %s, want %s", c.name, got, c.want)
		}
		if (len(image.warned) > 0) != c.warned {
			t.Errorf("Contents: after the end, %s: warnings %q", c.name, image.warned)
		}
	}
}

// Sparse files take time for their data, not their size (moby#5419): a TiB with
// one block, and a map of a hundred thousand stretches.
func TestSparseExtremes(t *testing.T) {
	giant := tartest.Entry{Name: "s", Type: 'S', Data: "x", Poke: func(h []byte) {
		tartest.OldSparse(0)(h)
		copy(h[386:], tartest.Base256(12, 1<<40-1)+"00000000001\x00")
		copy(h[483:], tartest.Base256(12, 1<<40))
	}}.Bytes()
	for _, c := range []struct {
		name         string
		archive      []byte
		size, blocks int64
	}{
		{"old GNU, 1 TiB and a block", pack(giant), 1 << 40, 1},
		{"pax 1.0, 1 TiB and a block", pack(sparse1("1099511627776", "1\n1099511627775\n1\n", "x")), 1 << 40, 1},
		{"pax 1.0, 1 TiB and nothing", pack(sparse1("1099511627776", "0\n", "")), 1 << 40, 0},
		{"pax 1.0, 100,000 stretches", pack(sparse1("200000", mapOf(pairs(0, 100000)), strings.Repeat(".", 100000))), 200000, 49},
	} {
		image, start := newImage(t), time.Now()
		if err := image.apply(c.archive); err != nil {
			t.Errorf("Contents: sparse: %s: %v", c.name, err)
			continue
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("Contents: sparse: %s: took %v", c.name, took)
		}
		if n := image.tree.Root.Lookup("s"); n == nil || n.Size != c.size || n.Blocks != c.blocks {
			t.Errorf("Contents: sparse: %s: %+v", c.name, n)
		}
	}
}
