// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"testing"

	"banger/lib/tar/tartest"
)

func TestLinks(t *testing.T) {
	lower := pack(file("d/a", "1", mode(0o600), own(2, 3)), symlink("s", "d"))
	check(t, []rule{{
		name:   "Links: to a lower layer's file (go-containerregistry#977, microsandbox#727)",
		layers: layers(lower, pack(hard("b", "d/a"))),
		want:   "b:1{0600,2:3} d/ d/a=b s->d",
	}, {
		name:   "Links: over an existing name (A3S-Lab/Box#78)",
		layers: layers(lower, pack(file("b", "old"), hard("b", "d/a"))),
		want:   "b:1{0600,2:3} d/ d/a=b s->d",
	}, {
		name:   "Links: over the directory the file is in",
		layers: layers(lower, pack(hard("d", "d/a"))),
		want:   "d:1{0600,2:3} s->d",
	}, {
		name:   "Links: an absolute target (moby/go-archive#99)",
		layers: layers(lower, pack(hard("b", "/d/./a"))),
		want:   "b:1{0600,2:3} d/ d/a=b s->d",
	}, {
		name:   "Links: a target through a symlinked parent",
		layers: layers(lower, pack(hard("b", "s/a"))),
		want:   "b:1{0600,2:3} d/ d/a=b s->d",
	}, {
		name:   "Links: to a symlink link the symlink",
		layers: layers(lower, pack(hard("b", "s"))),
		want:   "b->d d/ d/a:1{0600,2:3} s=b",
	}, {
		name:   "Links: to a device, to a fifo",
		layers: layers(pack(node("a", '4', 8, 1), node("p", '6', 0, 0), hard("b", "a"), hard("q", "p"))),
		want:   "a<block 8,1> b=a p<fifo> q=p",
	}, {
		name:   "Links: to an empty file",
		layers: layers(pack(file("a", ""), hard("b", "a"))),
		want:   "a: b=a",
	}, {
		name: "Links: to a directory", layers: layers(lower, pack(hard("b", "d"))), err: "directory",
	}, {
		name: "Links: to the root", layers: layers(pack(hard("b", "/"))), err: "root",
	}, {
		name: "Links: to a missing file", layers: layers(lower, pack(hard("b", "d/none"))), err: "not found",
	}, {
		name: "Links: to a later entry of the layer", layers: layers(pack(hard("b", "a"), file("a", ""))), err: "not found",
	}, {
		name:   "Links: to itself, no change",
		layers: layers(lower, pack(hard("d/a", "d/a"), hard("d/a", "s/a"))),
		want:   "d/ d/a:1{0600,2:3} s->d",
	}, {
		name:   "Links: the metadata of the entry is ignored",
		layers: layers(lower, pack(hard("b", "d/a", mode(0o4777), own(9, 9), at(9, 9), pax("SCHILY.xattr.user.x", "1")))),
		want:   "b:1{0600,2:3} d/ d/a=b s->d",
	}, {
		name: "Links: data after the entry is skipped (pax allows it)",
		layers: layers(pack(file("a", "1"), tartest.Pax("comment", "with data"),
			tartest.Entry{Name: "b", Link: "a", Type: '1', Data: "skipped"}.Bytes(), file("c", "2"))),
		want: "a:1 b=a c:2",
	}, {
		name:   "Links: to a lower file that the layer whites out",
		layers: layers(lower, pack(hard("b", "d/a"), file("d/.wh.a", ""))),
		err:    "not found",
	}, {
		name:   "Links: to a file whited out and recreated",
		layers: layers(lower, pack(file("d/.wh.a", ""), file("d/a", "2"), hard("b", "d/a"))),
		want:   "b:2 d/ d/a=b s->d",
	}, {
		name:   "Links: an implied parent of a link",
		layers: layers(pack(file("a", "1"), hard("n/b", "a", at(4, 0)))),
		want:   "a:1 n/{@4.000000000} n/b=a",
	}})
}

func TestSymlinks(t *testing.T) {
	check(t, []rule{{
		name:   "Links: symlink targets byte for byte (go-containerregistry#2238, #2268)",
		layers: layers(pack(symlink("a", "../../etc//passwd/."), symlink("b", "\xff\n "), symlink("c", "/../x"))),
		want:   `a->../../etc//passwd/. b->\377\012\040 c->/../x`,
	}, {
		name: "Links: an empty symlink target", layers: layers(pack(symlink("a", ""))), err: "target",
	}})
}
