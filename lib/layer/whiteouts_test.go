// SPDX-License-Identifier: Apache-2.0

package layer

import "testing"

func TestWhiteouts(t *testing.T) {
	lower := pack(file("d/x", "1"), file("d/y", "2"), dir("e"))
	check(t, []rule{{
		name:   "Whiteouts: a file",
		layers: layers(lower, pack(file("d/.wh.x", ""))),
		want:   "d/ d/y:2 e/",
	}, {
		name:   "Whiteouts: a directory and all below it",
		layers: layers(lower, pack(file(".wh.d", ""))),
		want:   "e/",
	}, {
		name:   "Whiteouts: not of entries of the same layer, marker first (e2b-dev/infra#2094)",
		layers: layers(lower, pack(file("d/.wh.x", ""), file("d/x", "new"))),
		want:   "d/ d/x:new d/y:2 e/",
	}, {
		name:   "Whiteouts: not of entries of the same layer, marker last (e2b-dev/infra#2094)",
		layers: layers(lower, pack(file("d/x", "new"), file("d/.wh.x", ""))),
		want:   "d/ d/x:new d/y:2 e/",
	}, {
		name:   "Whiteouts: a directory recreated in the layer of its whiteout loses every lower child",
		layers: layers(lower, pack(dir("d", mode(0o700)), file("d/z", ""), file(".wh.d", ""))),
		want:   "d/{0700} d/z: e/",
	}, {
		name:   "Whiteouts: the directory is resolved in the lower tree",
		layers: layers(pack(file("d/x", ""), file("e/x", "")), pack(symlink("d", "e"), file("d/.wh.x", ""))),
		want:   "d->e e/ e/x:",
	}, {
		name:   "Whiteouts: through a lower symlink that the layer replaces",
		layers: layers(pack(symlink("d", "e"), file("e/x", "")), pack(dir("d"), file("d/.wh.x", ""))),
		want:   "d/ e/",
	}, {
		name:   "Whiteouts: all directories are resolved before any removal",
		layers: layers(pack(file("e/x", ""), symlink("s", "e")), pack(file(".wh.s", ""), file("s/.wh.x", ""))),
		want:   "e/",
	}, {
		name:   "Whiteouts: the last component is not followed",
		layers: layers(pack(file("t", "1"), symlink("l", "t")), pack(file(".wh.l", ""))),
		want:   "t:1",
	}, {
		name:   "Whiteouts: one name of a hard-linked file",
		layers: layers(pack(file("a", "1"), hard("b", "a")), pack(file(".wh.a", ""))),
		want:   "b:1",
	}, {
		name: "Whiteouts: type, size and content of the marker are ignored",
		layers: layers(pack(file("a", ""), file("b", ""), file("c", ""), file("d", ""), file("e", "")),
			pack(file(".wh.a", "content"), dir(".wh.b/"), symlink(".wh.c", "t"), node(".wh.d", '3', 0, 0), hard(".wh.e", "none"))),
		want: "",
	}, {
		name:   "Whiteouts: of a missing path are ignored",
		layers: layers(lower, pack(file(".wh.none", ""), file("no/such/.wh.x", ""), file("d/x/.wh.y", ""), file("no/.wh..wh..opq", ""))),
		want:   "d/ d/x:1 d/y:2 e/",
	}, {
		name:   "Whiteouts: in the first layer",
		layers: layers(pack(file(".wh.x", ""), file("x", "1"))),
		want:   "x:1",
	}, {
		name:   "Whiteouts: the prefix counts in the last component only",
		layers: layers(pack(file("d/x", ""), file(".wh.d/x", ""))),
		want:   ".wh.d/ .wh.d/x: d/ d/x:",
	}, {
		name:   "Whiteouts: ../ before the prefix is removed lexically",
		layers: layers(lower, pack(file("../d/e/../.wh.x", ""))),
		want:   "d/ d/y:2 e/",
	}})
}

func TestOpaque(t *testing.T) {
	lower := pack(dir("d", mode(0o700), own(3, 4)), file("d/x", ""), file("d/s/y", ""))
	check(t, []rule{{
		name:   "Whiteouts: opaque removes every lower child, the directory keeps its metadata",
		layers: layers(lower, pack(file("d/.wh..wh..opq", ""))),
		want:   "d/{0700,3:4}",
	}, {
		name:   "Whiteouts: opaque, its own layer's children first",
		layers: layers(lower, pack(file("d/new", ""), file("d/.wh..wh..opq", ""))),
		want:   "d/{0700,3:4} d/new:",
	}, {
		name:   "Whiteouts: opaque first, the directory named too",
		layers: layers(lower, pack(dir("d"), file("d/.wh..wh..opq", ""), file("d/x", "new"))),
		want:   "d/ d/x:new",
	}, {
		name:   "Whiteouts: opaque at the root",
		layers: layers(lower, pack(file(".wh..wh..opq", ""), file("x", ""))),
		want:   "x:",
	}, {
		name:   "Whiteouts: opaque through a symlink",
		layers: layers(pack(dir("e"), file("e/x", ""), symlink("d", "e")), pack(file("d/.wh..wh..opq", ""))),
		want:   "d->e e/",
	}})
}

func TestWhiteoutNames(t *testing.T) {
	check(t, []rule{{
		name:   "Whiteouts: other .wh..wh.* names leave nothing and delete nothing",
		layers: layers(pack(file("aufs", ""), file(".wh.aufs2", "")), pack(file(".wh..wh.aufs", ""), dir(".wh..wh.plnk"), file("d/.wh..wh.orph", ""))),
		want:   "aufs:",
	}, {
		name:   "Whiteouts: .wh..opq removes .opq",
		layers: layers(pack(file("d/.opq", ""), file("d/x", "")), pack(file("d/.wh..opq", ""))),
		want:   "d/ d/x:",
	}, {
		name: "Whiteouts: .wh. is an error", layers: layers(pack(file("d/.wh.", ""))), err: "whiteout",
	}, {
		name: "Whiteouts: .wh.. is an error", layers: layers(pack(file(".wh..", ""))), err: "whiteout",
	}, {
		name: "Whiteouts: .wh... is an error", layers: layers(pack(file(".wh...", ""))), err: "whiteout",
	}, {
		name:   "Whiteouts: char 0/0 is a device",
		layers: layers(pack(file("x", "")), pack(node("x", '3', 0, 0))),
		want:   "x<char 0,0>",
	}, {
		name:   "Whiteouts: overlay xattrs hide nothing",
		layers: layers(pack(file("d/x", "")), pack(dir("d", pax("SCHILY.xattr.trusted.overlay.opaque", "y")))),
		want:   "d/{trusted.overlay.opaque=y} d/x:",
	}})
}
