// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"
)

// Whiteouts over several layers, and the examples of the specifications.
func TestWhiteoutsOfLayers(t *testing.T) {
	bar := pack(dir("a/"), dir("a/b/"), dir("a/b/c/"), file("a/b/c/bar", "1"))
	check(t, []rule{{
		name:   "Whiteouts: opaque first or last, the directory recreated (image-spec, Opaque Whiteout, #1215)",
		layers: layers(bar, pack(dir("a/"), file("a/.wh..wh..opq", ""), dir("a/b/"), dir("a/b/c/"), file("a/b/c/foo", "2"))),
		want:   "a/ a/b/ a/b/c/ a/b/c/foo:2",
	}, {
		name:   "Whiteouts: opaque in between, the same tree (image-spec, Opaque Whiteout; moby#17819)",
		layers: layers(bar, pack(dir("a/"), dir("a/b/"), dir("a/b/c/"), file("a/b/c/foo", "2"), file("a/.wh..wh..opq", ""))),
		want:   "a/ a/b/ a/b/c/ a/b/c/foo:2",
	}, {
		name: "Whiteouts: explicit ones are the same as opaque (image-spec, Opaque Whiteout)",
		layers: layers(pack(dir("etc"), file("etc/cfg", "1"), dir("bin"), file("bin/my-app-binary", "2"), file("bin/my-app-tools", "3"), file("bin/tools/x", "4")),
			pack(file("bin/.wh.my-app-binary", ""), file("bin/.wh.my-app-tools", ""), file("bin/.wh.tools", ""))),
		want: "bin/ etc/ etc/cfg:1",
	}, {
		name:   "Whiteouts: a directory removed in one layer, recreated in the next (go-containerregistry#2191, buildkit#2614)",
		layers: layers(pack(file("a/foo", "1"), file("b/bar", "2")), pack(file(".wh.a", "")), pack(file("a/baz", "3"))),
		want:   "a/ a/baz:3 b/ b/bar:2",
	}, {
		name:   "Whiteouts: a directory recreated in the layer of its whiteout, without an entry (stacker#627)",
		layers: layers(pack(dir("a1", mode(0o700)), file("a1/file", "1")), pack(file("a1/newfile", "2", at(6, 0)), file(".wh.a1", ""))),
		want:   "a1/{@6.000000000} a1/newfile:2{@6.000000000}",
	}, {
		name:   "Whiteouts: a directory recreated empty in the layer of its whiteout (stacker#627)",
		layers: layers(pack(file("a1/file", "1")), pack(dir("a1"), file(".wh.a1", ""))),
		want:   "a1/",
	}, {
		name:   "Whiteouts: a file recreated in the layer of its whiteout has its own metadata",
		layers: layers(pack(file("x", "1", mode(0o4755), own(1, 1), pax("SCHILY.xattr.user.a", "1"))), pack(file(".wh.x", ""), file("x", "2"))),
		want:   "x:2",
	}, {
		name:   "Whiteouts: paths removed in one layer and recreated in the next",
		layers: layers(pack(file("x", "1")), pack(file(".wh.x", "")), pack(file("x", "2")), pack(file(".wh.x", "")), pack(file("y", "3"))),
		want:   "y:3",
	}, {
		name:   "Whiteouts: of all lower layers, not only the next",
		layers: layers(pack(file("d/1", "")), pack(file("d/2", "")), pack(file("d/3", "")), pack(file("d/.wh..wh..opq", ""), file("d/4", ""))),
		want:   "d/ d/4:",
	}, {
		name:   "Whiteouts: not of layers above",
		layers: layers(pack(file(".wh.x", ""), file("d/.wh..wh..opq", "")), pack(file("x", "1"), file("d/y", "2"))),
		want:   "d/ d/y:2 x:1",
	}, {
		name:   "Whiteouts: none in an image of one layer (go-containerregistry#1623)",
		layers: layers(pack(dir("d"), file("d/.wh..wh..opq", ""), file("d/.wh.x", ""), file("d/y", "1"))),
		want:   "d/ d/y:1",
	}, {
		name: "Whiteouts: names with a dot in front, and without (moby diff_test)",
		layers: layers(pack(file(".baz", ""), file("bar/bax", ""), dir("bar/bay/"), file("baz", ""), file("foo/.abc", ""), file("foo/.bcd/a", ""), file("foo/cde/def", ""), file("foo/cde/efg", ""), file("foo/fgh", ""), file("foobar", "")),
			pack(file(".bay", ""), file(".wh.baz", ""), dir("foo/"), file("foo/.bce", ""), file("foo/.wh..wh..opq", ""), dir("foo/cde/"), file("foo/cde/efg", ""))),
		want: ".bay: .baz: bar/ bar/bax: bar/bay/ foo/ foo/.bce: foo/cde/ foo/cde/efg: foobar:",
	}, {
		name:   "Whiteouts: a hidden file and a plain one (moby diff_test)",
		layers: layers(pack(file(".baz", ""), file("baz", ""), file("foobar", ""), file("foo/.abc", ""), file("foo/cde/efg", "")), pack(file(".wh..baz", ""), file(".wh.foobar", ""), file("foo/.abc", "new"), file("foo/.wh.cde", ""))),
		want:   "baz: foo/ foo/.abc:new",
	}, {
		name:   "Whiteouts: one below another that removes its directory (umoci)",
		layers: layers(pack(file("o/foo/bar/x", ""), file("o/a/b/y", ""), file("o/z", "")), pack(file("o/foo/bar/.wh.x", ""), file("o/new", ""), file("o/.wh..wh..opq", ""), file("o/a/b/.wh.y", ""), file("o/a/b/new", ""))),
		want:   "o/ o/a/ o/a/b/ o/a/b/new: o/new:",
	}, {
		name:   "Whiteouts: opaque below opaque (umoci)",
		layers: layers(pack(file("n/a/b/c/x", ""), file("n/y", "")), pack(file("n/a/b/.wh..wh..opq", ""), file("n/a/.wh..wh..opq", ""), file("n/.wh..wh..opq", ""))),
		want:   "n/",
	}, {
		name:   "Whiteouts: opaque in a directory that the same layer whites out (umoci)",
		layers: layers(pack(file("d/x", "")), pack(file(".wh.d", ""), file("d/.wh..wh..opq", ""))),
		want:   "",
	}, {
		name:   "Whiteouts: opaque in a directory that is a file in the lower layer (umoci)",
		layers: layers(pack(file("d", "1"), file("e", "2")), pack(dir("d"), file("d/.wh..wh..opq", ""), file("d/x", "3"), file("e/.wh..wh..opq", ""))),
		want:   "d/ d/x:3 e:2",
	}, {
		name:   "Whiteouts: the directory of a whiteout keeps its metadata (umoci)",
		layers: layers(pack(dir("d", mode(0o1777), own(3, 4), at(123, 456)), file("d/x", ""), dir("d/.y"), file("d/.y/z", "")), pack(file("d/.wh.x", "", at(9, 0)), file("d/.wh..y", "", at(9, 0)))),
		want:   "d/{1777,3:4,@123.000000456}",
	}, {
		name:   "Whiteouts: through a symlink of a lower layer that is a directory in this one",
		layers: layers(pack(file("real/x", "1"), symlink("d", "real")), pack(dir("d"), file("d/x", "2"), file("d/.wh..wh..opq", ""))),
		want:   "d/ d/x:2 real/",
	}, {
		name:   "Whiteouts: of a device, a fifo, a symlink to a directory",
		layers: layers(pack(node("c", '3', 1, 3), node("p", '6', 0, 0), dir("d"), file("d/x", ""), symlink("l", "d")), pack(file(".wh.c", ""), file(".wh.p", ""), file(".wh.l", ""))),
		want:   "d/ d/x:",
	}})
}

// The order of entries that do not depend on each other does not matter.
func TestWhiteoutsInAnyOrder(t *testing.T) {
	lower := pack(file("d/a", "1"), file("d/b", "2"), file("e/c", "3"), file("f", "4"))
	entries := [][]byte{file("d/.wh.a", ""), file("d/a", "new"), file("e/.wh..wh..opq", ""), file("e/d", "5"), file(".wh.f", "")}
	each(entries, func(order [][]byte) {
		image := newImage(t)
		if err := image.apply(lower, pack(order...)); err != nil {
			t.Fatal(err)
		}
		if got, want := image.show(), "d/ d/a:new d/b:2 e/ e/d:5"; got != want {
			t.Errorf("Whiteouts: whichever comes first: got %s, want %s", got, want)
		}
	})
}

// each calls f with every permutation of all.
func each(all [][]byte, f func(order [][]byte)) {
	var from func(done, rest [][]byte)
	from = func(done, rest [][]byte) {
		if len(rest) == 0 {
			f(done)
		}
		for i := range rest {
			others := append(append([][]byte(nil), rest[:i]...), rest[i+1:]...)
			from(append(done[:len(done):len(done)], rest[i]), others)
		}
	}
	from(nil, all)
}

func TestMarkers(t *testing.T) {
	lower := pack(file("x", "1"), file("d/x", "2"))
	check(t, []rule{{
		name:   "Whiteouts: .wh. and .wh.. and .wh... are errors below the root too (containerd tar_test)",
		layers: layers(lower, pack(file("d/.wh...", ""))), err: "whiteout",
	}, {
		name: "Whiteouts: .wh.. of a directory, as a directory", layers: layers(lower, pack(dir("d/.wh../"))), err: "whiteout",
	}, {
		name:   "Whiteouts: .wh..... removes ....",
		layers: layers(pack(file("....", ""), file("x", "")), pack(file(".wh.....", ""))),
		want:   "x:",
	}, {
		name:   "Whiteouts: .wh..wh. and names that start with it are of aufs, .wh..wh..opqx too",
		layers: layers(pack(file(".wh.x", ""), file("d/x", "2"), file(".opqx", "")), pack(file(".wh..wh.", ""), file(".wh..wh.x", ""), file(".wh..wh..opqx", ""), file("d/.wh..wh..opq.", ""))),
		want:   ".opqx: d/ d/x:2",
	}, {
		name:   "Whiteouts: other .wh..wh.* names and paths below them leave nothing",
		layers: layers(lower, pack(dir(".wh..wh.plnk"), file(".wh..wh.plnk/173.2", "linked"), file(".wh..wh.aufs", ""), file(".wh..wh..opq/d/x", ""))),
		want:   "d/ d/x:2 x:1",
	}, {
		name:   "Whiteouts: the marker's type: opaque as a directory, a symlink, a hard link, a device",
		layers: layers(pack(file("a/x", ""), file("b/x", ""), file("c/x", ""), file("d/x", "")), pack(dir("a/.wh..wh..opq/"), symlink("b/.wh..wh..opq", "t"), hard("c/.wh..wh..opq", "none"), node("d/.wh..wh..opq", '3', 0, 0))),
		want:   "a/ b/ c/ d/",
	}, {
		name:   "Whiteouts: the marker's content: opaque with some",
		layers: layers(lower, pack(file("d/.wh..wh..opq", strings.Repeat("x", 5000)), file("y", "3"))),
		want:   "d/ x:1 y:3",
	}, {
		name:   "Whiteouts: the metadata of the marker is ignored",
		layers: layers(lower, pack(file("d/.wh.x", "", own(1<<32, -5), pax("LIBARCHIVE.xattr.user.a", "!")))),
		want:   "d/ x:1",
	}, {
		name:   "Whiteouts: the same path in two spellings",
		layers: layers(lower, pack(file("d/.wh.x", ""), file("./d//.wh.x/.", ""))),
		want:   "d/ x:1",
	}, {
		name:   "Whiteouts: not with the prefix in upper case or inside the name",
		layers: layers(lower, pack(file(".WH.x", "3"), file("wh.x", "4"), file("x.wh.", "5"), file("..wh.x", "6"), file(" .wh.x", "7"))),
		want:   `\040.wh.x:7 ..wh.x:6 .WH.x:3 d/ d/x:2 wh.x:4 x:1 x.wh.:5`,
	}, {
		name:   "Whiteouts: of a name in any encoding, and of one with a newline",
		layers: layers(pack(file("\xff", ""), file("a\nb", "")), pack(file(".wh.\xff", ""), file(".wh.a\nb", ""))),
		want:   "",
	}, {
		name:   "Whiteouts: overlay xattrs hide nothing, they are kept, user.overlay too (overlayfs.txt)",
		layers: layers(lower, pack(dir("d", pax("SCHILY.xattr.user.overlay.opaque", "y"), pax("SCHILY.xattr.trusted.overlay.redirect", "/e")), file("x", "", pax("SCHILY.xattr.trusted.overlay.whiteout", "")))),
		want:   "d/{trusted.overlay.redirect=/e,user.overlay.opaque=y} d/x:2 x:{trusted.overlay.whiteout=}",
	}, {
		name:   "Whiteouts: of lost+found",
		layers: layers(pack(file("lost+found/x", "")), pack(file(".wh.lost+found", ""))),
		want:   "",
	}})
}
