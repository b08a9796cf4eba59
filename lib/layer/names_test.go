// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	check(t, []rule{{
		name:   "Names: bytes, in any encoding, newline and quote included",
		layers: layers(pack(file("\xff\xfe", ""), file("a\n'\"\\", ""))),
		want:   `a\012\047\042\134: \377\376:`,
	}, {
		name:   "Names: never normalised, never case-folded",
		layers: layers(pack(file("\u00e9", ""), file("e\u0301", ""), file("E", ""), file("e", ""))),
		want:   `E: e: e\314\201: \303\251:`,
	}, {
		name:   "Names: ./x and /x are spellings of x",
		layers: layers(pack(file("x", "1")), pack(file("./x", "2")), pack(file("/x", "3"))),
		want:   "x:3",
	}, {
		name:   "Names: a/./x and x// are spellings",
		layers: layers(pack(dir("a/x//"), file("a/./x/.//y", ""))),
		want:   "a/ a/x/ a/x/y:",
	}, {
		name:   "Names: .. is removed lexically, before symlinks are resolved",
		layers: layers(pack(dir("far/away"), symlink("a", "far/away"), file("a/../b", ""))),
		want:   "a->far/away b: far/ far/away/",
	}, {
		name:   "Names: .. of a hard link target is removed lexically",
		layers: layers(pack(dir("far/away"), symlink("a", "far/away"), file("b", "x"), hard("c", "a/../b"))),
		want:   "a->far/away b:x c=b far/ far/away/",
	}, {
		name:   "Names: the root is its own parent",
		layers: layers(pack(file("../../x", ""), file("/../y", ""))),
		want:   "x: y:",
	}, {
		name:   "Names: a component of 255 bytes",
		layers: layers(pack(file(strings.Repeat("n", 255), ""))),
		want:   strings.Repeat("n", 255) + ":",
	}, {
		name:   "Names: a component over 255 bytes",
		layers: layers(pack(file("a/"+strings.Repeat("n", 256), ""))),
		err:    "256 bytes",
	}, {
		name:   "Names: a whole name over 64 KiB",
		layers: layers(pack(file(strings.Repeat("nnnnnnnn/", 64<<10/9)+"long-end", ""))),
		err:    "bytes",
	}, {
		name:   "Names: a symlink target of 4095 bytes",
		layers: layers(pack(symlink("l", strings.Repeat("t", 4095)))),
		want:   "l->" + strings.Repeat("t", 4095),
	}, {
		name:   "Names: a symlink target over 4095 bytes",
		layers: layers(pack(symlink("l", strings.Repeat("t", 4096)))),
		err:    "4096 bytes",
	}})
}

func TestRoot(t *testing.T) {
	check(t, []rule{{
		name:   "Names: an entry that resolves to the root sets its metadata",
		layers: layers(pack(file("x", ""), dir("./", mode(0o700), own(7, 8), at(5, 0)))),
		want:   "./{0700,7:8,@5.000000000} x:",
	}, {
		name:   "Names: / and a/.. are the root",
		layers: layers(pack(dir("/", mode(0o711))), pack(dir("a/..", own(1, 2)))),
		want:   "./{1:2}",
	}, {
		name:   "Names: the root as a file",
		layers: layers(pack(file(".", ""))),
		err:    "root is not a directory",
	}, {
		name:   "Names: the root as a symlink",
		layers: layers(pack(symlink("a/..", "b"))),
		err:    "root is not a directory",
	}})
}

func TestParents(t *testing.T) {
	check(t, []rule{{
		name:   "Names: children of a symlinked parent go where it leads (boxlite#187)",
		layers: layers(pack(dir("usr/lib"), symlink("lib", "usr/lib")), pack(file("lib/x", "1"))),
		want:   "lib->usr/lib usr/ usr/lib/ usr/lib/x:1",
	}, {
		name:   "Names: a directory entry over the symlink replaces it",
		layers: layers(pack(file("usr/lib/x", ""), symlink("lib", "usr/lib")), pack(dir("lib/"), file("lib/y", ""))),
		want:   "lib/ lib/y: usr/ usr/lib/ usr/lib/x:",
	}, {
		name:   "Names: absolute symlinks restart at the root",
		layers: layers(pack(dir("etc"), symlink("a/b", "/etc"), file("a/b/x", ""))),
		want:   "a/ a/b->/etc etc/ etc/x:",
	}, {
		name:   "Names: a symlink that climbs stays in the root",
		layers: layers(pack(dir("etc"), symlink("a", "../../../etc"), file("a/x", ""))),
		want:   "a->../../../etc etc/ etc/x:",
	}, {
		name:   "Names: .. of a symlink's target is resolved step by step",
		layers: layers(pack(dir("deep/down"), symlink("s", "deep/down"), symlink("l", "s/../here"), file("l/x", ""))),
		want:   "deep/ deep/down/ deep/here/ deep/here/x: l->s/../here s->deep/down",
	}, {
		name:   "Names: the target of a dangling symlink is created",
		layers: layers(pack(symlink("l", "usr/lib"), file("l/x", ""))),
		want:   "l->usr/lib usr/ usr/lib/ usr/lib/x:",
	}, {
		name:   "Names: the last component is never followed",
		layers: layers(pack(file("t", "old"), symlink("l", "t")), pack(file("l", "new"))),
		want:   "l:new t:old",
	}, {
		name:   "Names: at most 40 symlinks",
		layers: layers(pack(append(chain(40), file("l0/x", ""))...)),
		want:   showChain(40) + " t/ t/x:",
	}, {
		name:   "Names: more than 40 symlinks",
		layers: layers(pack(append(chain(41), file("l0/x", ""))...)),
		err:    "symlinks",
	}, {
		name:   "Names: a symlink loop",
		layers: layers(pack(symlink("a", "b"), symlink("b", "a"), file("a/x", ""))),
		err:    "symlinks",
	}, {
		name:   "Names: an implied parent is 0755 0:0 with the time of the entry",
		layers: layers(pack(file("a/b/x", "", mode(0o600), own(5, 6), at(7, 0)))),
		want:   "a/{@7.000000000} a/b/{@7.000000000} a/b/x:{0600,5:6,@7.000000000}",
	}, {
		name:   "Names: a parent that is not a directory",
		layers: layers(pack(file("a", "")), pack(file("a/x", ""))),
		err:    "not a directory",
	}, {
		name:   "Names: a parent that is a symlink to a file",
		layers: layers(pack(node("p", '6', 0, 0), symlink("l", "p"), file("l/x", ""))),
		err:    "not a directory",
	}})
}

// chain returns n symlinks, each to the next, the last to the directory t.
func chain(n int) (all [][]byte) {
	for i := range n {
		all = append(all, symlink(fmt.Sprintf("l%d", i), next(i, n)))
	}
	return append(all, dir("t"))
}

func next(i, n int) string {
	if i == n-1 {
		return "t"
	}
	return fmt.Sprintf("l%d", i+1)
}

// showChain returns chain as printed by show.
func showChain(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("l%d->%s", i, next(i, n)))
	}
	return strings.Join(sorted(all), " ")
}
