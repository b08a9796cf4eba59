// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"testing"
)

// A kind is a file type: an entry x of it, and the output of show.
type kind struct {
	name, want string
	entry      []byte
}

// kinds has one kind for each file type.
func kinds() []kind {
	return []kind{
		{"file", "x:new", file("x", "new", mode(0o600), own(1, 2))},
		{"empty file", "x:", file("x", "", mode(0o600), own(1, 2))},
		{"directory", "x/", dir("x", mode(0o600), own(1, 2))},
		{"symlink", "x->t", symlink("x", "t", own(1, 2))},
		{"char device", "x<char 1,3>", node("x", '3', 1, 3, mode(0o600), own(1, 2))},
		{"block device", "x<block 8,1>", node("x", '4', 8, 1, mode(0o600), own(1, 2))},
		{"fifo", "x<fifo>", node("x", '6', 0, 0, mode(0o600), own(1, 2))},
		{"hard link", "x=a", hard("x", "a", mode(0o600), own(1, 2))},
	}
}

// "Over existing files" (image-spec, layer.md): two directories are merged; in all
// other cases the old file is removed with everything in it.
func TestOverEachKind(t *testing.T) {
	var rules []rule
	for _, old := range kinds() {
		for _, entry := range kinds() {
			want := entry.want + "{0600,1:2}"
			switch entry.name {
			case "symlink":
				want = entry.want + "{1:2}"
			case "hard link":
				want = entry.want
			}
			for how, all := range map[string][][]byte{
				"over":                   layers(pack(file("a", "1"), old.entry), pack(entry.entry)),
				"in the same layer over": layers(pack(file("a", "1"), old.entry, entry.entry)),
			} {
				rules = append(rules, rule{name: fmt.Sprintf("Over: %s %s %s", entry.name, how, old.name), layers: all, want: "a:1 " + want})
			}
		}
	}
	check(t, rules)
}

func TestReplaced(t *testing.T) {
	attr := pax("SCHILY.xattr.user.a", "old")
	check(t, []rule{{
		name:   "Over: any other file replaces the old one and its metadata",
		layers: layers(pack(file("x", "old", mode(0o4755), own(1, 1), at(5, 0), attr)), pack(file("x", "new"))),
		want:   "x:new",
	}, {
		name:   "Over: other hard links keep the file and its metadata",
		layers: layers(pack(file("a", "old", mode(0o4755), own(1, 1), attr), hard("b", "a")), pack(file("a", "new", mode(0o600)))),
		want:   "a:new{0600} b:old{4755,1:1,user.a=old}",
	}, {
		name:   "Over: other hard links keep the file, a directory over one",
		layers: layers(pack(file("a", "1"), hard("b", "a"), hard("c", "a")), pack(dir("b"), file("b/x", "2"))),
		want:   "a:1 b/ b/x:2 c=a",
	}, {
		name: "Over: other hard links keep the file, a new file over one (go-containerregistry#2002)",
		layers: layers(pack(file("t2", "123")), pack(hard("t1", "t2"), hard("t3", "t1")),
			pack(file("t1", "456"))),
		want: "t1:456 t2:123 t3=t2",
	}, {
		name: "Over: other hard links keep the file, a symlink over one (anchore/stereoscope#670)",
		layers: layers(pack(file("lib/x", "1")), pack(hard("cache/x", "lib/x")),
			pack(symlink("lib/x", "/cache/x"))),
		want: "cache/ cache/x:1 lib/ lib/x->/cache/x",
	}, {
		name: "Over: all names of a file, one after the other",
		layers: layers(pack(file("a", "1"), hard("b", "a")), pack(file("a", "2"), hard("b", "a")),
			pack(file("b", "3"))),
		want: "a:2 b:3",
	}, {
		name:   "Over: a directory over a directory keeps its subtree",
		layers: layers(pack(file("d/e/f/x", "1")), pack(dir("d", own(1, 1)), dir("d/e/f", own(2, 2)))),
		want:   "d/{1:1} d/e/ d/e/f/{2:2} d/e/f/x:1",
	}, {
		name: "Over: the same name twice, by another spelling",
		layers: layers(pack(file("x", "1"), file("./x", "2"), file("d/../x", "3"), dir("e/", own(1, 1)),
			dir("/e", mode(0o700)))),
		want: "e/{0700} x:3",
	}, {
		name:   "Over: the same name twice, through a symlinked parent",
		layers: layers(pack(dir("d"), symlink("l", "d"), file("d/x", "1"), file("l/x", "2"))),
		want:   "d/ d/x:2 l->d",
	}, {
		name:   "Over: the same name twice, the last wins and removes entries in between",
		layers: layers(pack(dir("x"), file("x/a", ""), symlink("x", "y"), file("x/b", "1"), dir("x"))),
		want:   "x/ y/ y/b:1",
	}, {
		name:   "Over: the same name twice, a hard link and its file",
		layers: layers(pack(file("a", "1"), file("b", "2"), hard("c", "a"), hard("c", "b"), file("a", "3"))),
		want:   "a:3 b:2 c=b",
	}, {
		name:   "Over: a hard link to what it replaces in a directory it replaces",
		layers: layers(pack(file("d/e/x", "1"), file("d/y", "2")), pack(hard("d", "d/e/x"), file("z", "3"))),
		want:   "d:1 z:3",
	}})
}
