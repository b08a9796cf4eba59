// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/mtree"
	"banger/lib/tar/tartest"
)

// Every byte of a name is kept, in each field that can hold a name.
func TestEveryByte(t *testing.T) {
	var entries [][]byte
	var want []string
	for c := 1; c < 256; c++ {
		if c == '/' {
			continue
		}
		name := "b" + string([]byte{byte(c)})
		entries = append(entries, tartest.Entry{Name: name, Link: name, Type: '2'}.Bytes())
		want = append(want, mtree.Escape(name)+"->"+mtree.Escape(name))
	}
	check(t, []rule{{
		name: "Names: anything but / and NUL, in a header", layers: layers(pack(entries...)), want: strings.Join(want, " "),
	}, {
		name: "Names: in any encoding, in pax records, which POSIX defines as UTF-8",
		layers: layers(pack(tartest.Pax("path", "d/\xff\xfe", "linkpath", "\xc3\x28"),
			tartest.Entry{Name: "x", Type: '2'}.Bytes())),
		want: `d/ d/\377\376->\303\050`,
	}, {
		name: "Names: in any encoding, in GNU's long names and links (GNU tar manual, Extensions)",
		layers: layers(pack(
			tartest.Entry{Name: "././@LongLink", Type: 'L', Data: strings.Repeat("\xe9", 200) + "\x00"}.Bytes(),
			tartest.Entry{Name: "././@LongLink", Type: 'K', Data: strings.Repeat("\xe8", 300) + "\x00"}.Bytes(),
			tartest.Entry{Name: "short", Link: "short", Type: '2'}.Bytes())),
		want: strings.Repeat(`\351`, 200) + "->" + strings.Repeat(`\350`, 300),
	}, {
		name: "Names: in any encoding, in ustar's prefix (POSIX ustar)",
		layers: layers(pack(tartest.Entry{Name: "\xff", Type: '0', Data: "1",
			Poke: func(h []byte) { copy(h[345:], "\xfe/p") }}.Bytes())),
		want: `\376/ \376/p/ \376/p/\377:1`,
	}})
}

func TestSpellings(t *testing.T) {
	check(t, []rule{{
		name:   "Names: x// is a spelling of x, for a symlink, a hard link and a fifo",
		layers: layers(pack(file("f", "1"), symlink("l//", "t"), hard("h/", "f//"), tartest.Entry{Name: "p/", Type: '6'}.Bytes())),
		want:   "f:1 h=f l->t p<fifo>",
	}, {
		name:   "Names: . and .. in all places of a name",
		layers: layers(pack(dir("./a/./b/../c/."), file("a/../././d/../x", "1"))),
		want:   "a/ a/c/ x:1",
	}, {
		name:   "Names: three dots, a space and a tilde are names",
		layers: layers(pack(file("...", "1"), file(" ", "2"), file("~", "3"), file("..x", "4"))),
		want:   `\040:2 ...:1 ..x:4 \176:3`,
	}, {
		name:   "Names: an empty name is the root, if it is a directory (libarchive tar_empty_filename)",
		layers: layers(pack(tartest.Entry{Name: "", Type: '5'}.Bytes(), file("x", "1"))),
		want:   "./{0644} x:1",
	}, {
		name:   "Names: an empty name as a file",
		layers: layers(pack(tartest.Entry{Name: "", Type: '0', Data: "1"}.Bytes())),
		err:    "root is not a directory",
	}, {
		name:   "Names: the root as a hard link",
		layers: layers(pack(file("x", ""), hard("./", "x"))),
		err:    "root is not a directory",
	}, {
		name:   "Names: the root as a device",
		layers: layers(pack(node(".", '3', 1, 3))),
		err:    "root is not a directory",
	}, {
		name:   "Names: the root takes metadata and xattrs and keeps its children",
		layers: layers(pack(file("x", ""), dir("/", pax("SCHILY.xattr.user.a", "1"))), pack(dir(".", mode(0o1777), pax("SCHILY.xattr.user.b", "2")))),
		want:   "./{1777,user.b=2} x:",
	}, {
		name:   "Names: the root takes the metadata of the last layer that has an entry for it",
		layers: layers(pack(dir("./", mode(0o700))), pack(file("x", ""))),
		want:   "./{0700} x:",
	}})
}

// Parents without an entry, for which image-spec has no rule (image-spec#970).
func TestImpliedParents(t *testing.T) {
	check(t, []rule{{
		name: "Names: an implied parent whose entry comes later (hcsshim tar2ext4_test)",
		layers: layers(pack(file("foo/bar", "1"), file("A/B/b", "2"), file("A/a", "3"),
			dir("A/", mode(0o700), at(9, 0)), dir("A/B/", own(1, 2)), dir("foo/", mode(0o1777)))),
		want: "A/{0700,@9.000000000} A/B/{1:2} A/B/b:2 A/a:3 foo/{1777} foo/bar:1",
	}, {
		name:   "Names: an implied parent whose entry is in a later layer",
		layers: layers(pack(file("d/x", "", at(7, 0))), pack(dir("d", own(3, 4)))),
		want:   "d/{3:4} d/x:{@7.000000000}",
	}, {
		name:   "Names: an existing parent keeps its metadata (umoci)",
		layers: layers(pack(dir("d", mode(0o700), own(3, 4), at(5, 0))), pack(file("d/x", "", at(9, 0)), symlink("d/y", "t"), hard("d/z", "d/x"))),
		want:   "d/{0700,3:4,@5.000000000} d/x:{@9.000000000} d/y->t d/z=d/x",
	}, {
		name:   "Names: an implied parent of a symlink, a device, a directory",
		layers: layers(pack(symlink("a/l", "t", at(2, 0)), node("b/p", '6', 0, 0, at(3, 0)), dir("c/d", at(4, 0), mode(0o700)))),
		want:   "a/{@2.000000000} a/l->t{@2.000000000} b/{@3.000000000} b/p<fifo>{@3.000000000} c/{@4.000000000} c/d/{0700,@4.000000000}",
	}, {
		name:   "Names: an implied parent of a hard link (apple/container#1797)",
		layers: layers(pack(file("bin/app", "1"), hard("bin/app.runfiles/main/app", "bin/app"))),
		want:   "bin/ bin/app:1 bin/app.runfiles/ bin/app.runfiles/main/ bin/app.runfiles/main/app=bin/app",
	}, {
		name:   "Names: an implied parent at the target of a symlink, with the time of the entry",
		layers: layers(pack(symlink("l", "a/b"), file("l/c/x", "", at(8, 1)))),
		want:   "a/{@8.000000001} a/b/{@8.000000001} a/b/c/{@8.000000001} a/b/c/x:{@8.000000001} l->a/b",
	}, {
		name:   "Names: a parent that is a device",
		layers: layers(pack(node("c", '3', 1, 3), file("c/x", ""))),
		err:    "not a directory",
	}, {
		name:   "Names: a parent that is a hard link",
		layers: layers(pack(file("a", ""), hard("b", "a"), dir("b/x"))),
		err:    "not a directory",
	}, {
		name:   "Names: a parent that is a file, for a directory, in the same layer",
		layers: layers(pack(file("a", ""), dir("a/b/c"))),
		err:    "not a directory",
	}, {
		name:   "Names: the last component is never followed, by a directory, a symlink, a device, a hard link",
		layers: layers(pack(dir("t"), file("f", "1"), symlink("a", "t"), symlink("b", "t"), symlink("c", "f"), symlink("d", "f")), pack(dir("a"), symlink("b", "f"), node("c", '6', 0, 0), hard("d", "f"))),
		want:   "a/ b->f c<fifo> d:1 f=d t/",
	}, {
		name:   "Names: a symlink loop as the last component is replaced",
		layers: layers(pack(symlink("r", "r"), file("r", "1"))),
		want:   "r:1",
	}, {
		name:   "Names: a directory entry over the symlink, in any spelling, in the same layer",
		layers: layers(pack(file("usr/lib/x", ""), symlink("lib", "usr/lib"), dir("./lib/."), file("lib/y", ""))),
		want:   "lib/ lib/y: usr/ usr/lib/ usr/lib/x:",
	}})
}
