// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"slices"
	"strings"
	"testing"
)

// sorted sorts the fields of show by name.
func sorted(all []string) []string {
	name := func(s string) string { return s[:strings.IndexAny(s, "-:/=")] }
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	return all
}

func TestOverWhatIsThere(t *testing.T) {
	check(t, []rule{{
		name: "Over: directory over directory sets the metadata and keeps the children",
		layers: layers(pack(dir("d", mode(0o700), own(1, 1), pax("SCHILY.xattr.user.old", "1")), file("d/x", "")),
			pack(dir("d", mode(0o711), own(2, 3), at(9, 0), pax("SCHILY.xattr.user.new", "2")))),
		want: "d/{0711,2:3,@9.000000000,user.new=2} d/x:",
	}, {
		name:   "Over: directory over directory without xattrs removes the old ones",
		layers: layers(pack(dir("d", pax("SCHILY.xattr.user.old", "1"))), pack(dir("d"))),
		want:   "d/",
	}, {
		name:   "Over: file over directory removes its subtree",
		layers: layers(pack(file("d/a/b", "")), pack(file("d", "x"))),
		want:   "d:x",
	}, {
		name:   "Over: directory over file",
		layers: layers(pack(file("d", "x")), pack(file("d2", ""), dir("d"), file("d/y", ""))),
		want:   "d/ d/y: d2:",
	}, {
		name: "Over: symlink over directory, oldest layer first (stacklok/go-microvm#99)",
		layers: layers(pack(file("bin/sh", "old"), dir("usr/bin")),
			pack(symlink("bin", "usr/bin"), file("bin/sh", "new"))),
		want: "bin->usr/bin usr/ usr/bin/ usr/bin/sh:new",
	}, {
		name:   "Over: directory over symlink, then a file in it",
		layers: layers(pack(dir("t"), symlink("l", "t")), pack(dir("l")), pack(file("l/x", ""))),
		want:   "l/ l/x: t/",
	}, {
		name:   "Over: device over file",
		layers: layers(pack(file("null", "x")), pack(node("null", '3', 1, 3))),
		want:   "null<char 1,3>",
	}, {
		name:   "Over: other hard links keep the file",
		layers: layers(pack(file("a", "old"), hard("b", "a")), pack(file("a", "new"))),
		want:   "a:new b:old",
	}, {
		name:   "Over: replacing a directory keeps hard links elsewhere",
		layers: layers(pack(file("d/a", "x"), hard("b", "d/a"), hard("c", "b")), pack(symlink("d", "t"))),
		want:   "b:x c=b d->t",
	}, {
		name:   "Over: the same name twice in one layer, the last wins",
		layers: layers(pack(file("x", "1"), file("x", "2"), symlink("y", "1"), symlink("y", "2"))),
		want:   "x:2 y->2",
	}, {
		name:   "Over: a directory twice in one layer keeps its children",
		layers: layers(pack(dir("d"), file("d/x", ""), dir("d/", mode(0o700)))),
		want:   "d/{0700} d/x:",
	}, {
		name:   "Over: a directory and then a file in one layer",
		layers: layers(pack(file("d/x", ""), file("d", "f"))),
		want:   "d:f",
	}})
}
