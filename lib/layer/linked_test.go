// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// Hard links over several layers share one inode.
func TestNamesOfOneFile(t *testing.T) {
	check(t, []rule{{
		name:   "Links: to a link to a link",
		layers: layers(pack(file("a", "1"), hard("b", "a"), hard("c", "b")), pack(hard("d", "c"))),
		want:   "a:1 b=a c=a d=a",
	}, {
		name:   "Links: a file stays under its link if a later layer removes it (go-containerregistry#977)",
		layers: layers(pack(file("a", "1")), pack(hard("b", "a")), pack(file(".wh.a", ""))),
		want:   "b:1",
	}, {
		name:   "Links: a link to a lower file that a middle layer has renamed by link and whiteout",
		layers: layers(pack(file("a", "1")), pack(hard("b", "a")), pack(file(".wh.a", "")), pack(hard("c", "b"))),
		want:   "b:1 c=b",
	}, {
		name:   "Links: to a file removed in a middle layer",
		layers: layers(pack(file("a", "1")), pack(file(".wh.a", "")), pack(hard("b", "a"))),
		err:    "not found",
	}, {
		name:   "Links: to a lower file below a directory that this layer whites out",
		layers: layers(pack(file("d/a", "1")), pack(hard("b", "d/a"), file(".wh.d", ""))),
		err:    "not found",
	}, {
		name:   "Links: to a lower file that an opaque whiteout of this layer removes",
		layers: layers(pack(file("d/a", "1")), pack(file("d/.wh..wh..opq", ""), hard("b", "d/a"))),
		err:    "not found",
	}, {
		name:   "Links: to another name of a file, one of which this layer whites out",
		layers: layers(pack(file("a", "1"), hard("b", "a")), pack(file(".wh.a", ""), hard("c", "b"))),
		want:   "b:1 c=b",
	}, {
		name:   "Links: to a file that this layer replaced: the new one",
		layers: layers(pack(file("a", "1")), pack(file("a", "2"), hard("b", "a"))),
		want:   "a:2 b=a",
	}, {
		name:   "Links: to a file that is replaced after the link: the old one",
		layers: layers(pack(file("a", "1")), pack(hard("b", "a"), file("a", "2"))),
		want:   "a:2 b:1",
	}, {
		name:   "Links: over a file of another type in a lower layer",
		layers: layers(pack(file("a", "1"), file("d/x", ""), symlink("l", "a"), node("p", '6', 0, 0)), pack(hard("d", "a"), hard("l", "a"), hard("p", "a"))),
		want:   "a:1 d=a l=a p=a",
	}, {
		name:   "Links: to itself, by another layer and another spelling",
		layers: layers(pack(file("d/a", "1", own(1, 1))), pack(hard("d/a", "./d//a")), pack(hard("/d/a", "d/../d/a"))),
		want:   "d/ d/a:1{1:1}",
	}, {
		name: "Links: to itself, without a file", layers: layers(pack(hard("a", "a"))), err: "not found",
	}, {
		name: "Links: two that need each other", layers: layers(pack(hard("a", "b"), hard("b", "a"))), err: "not found",
	}, {
		name: "Links: without a target", layers: layers(pack(file("a", ""), tartest.Entry{Name: "b", Type: '1'}.Bytes())), err: "root",
	}, {
		name: "Links: to a directory, with a trailing slash", layers: layers(pack(dir("d"), hard("b", "d/"))), err: "directory",
	}, {
		name:   "Links: to a symlink to a directory link the symlink",
		layers: layers(pack(dir("d"), symlink("s", "d"), hard("b", "s"), file("b/x", "1"))),
		want:   "b->d d/ d/x:1 s=b",
	}, {
		name:   "Links: to a symlink whose target comes later (containerd tar_test)",
		layers: layers(pack(dir("etc"), symlink("p", "/etc/passwd"), hard("q", "p"), file("etc/passwd", "1"))),
		want:   "etc/ etc/passwd:1 p->/etc/passwd q=p",
	}, {
		name:   "Links: to a symlink whose own target is a symlink",
		layers: layers(pack(file("a", "1"), symlink("s", "a"), symlink("r", "s"), hard("b", "r"))),
		want:   "a:1 b->s r=b s->a",
	}, {
		name:   "Links: to a lower device keep its numbers and mode",
		layers: layers(pack(node("a", '3', 5, 1, mode(0o620), own(0, 5))), pack(hard("b", "a"))),
		want:   "a<char 5,1>{0620,0:5} b=a",
	}, {
		name:   "Links: through a symlinked parent on both sides (containerd tar_test)",
		layers: layers(pack(file("etc/passwd", "1"), dir("localetc")), pack(symlink("localetc", "../../etc"), hard("/localetc/p", "/localetc/passwd"))),
		want:   "etc/ etc/p:1 etc/passwd=etc/p localetc->../../etc",
	}, {
		name:   "Links: a directory over the symlink they went through (containerd tar_test)",
		layers: layers(pack(file("etc/p", "inside"), symlink("l", "etc"), hard("l/q", "etc/p")), pack(dir("l"), file("l/q", "different"))),
		want:   "etc/ etc/p:inside etc/q=etc/p l/ l/q:different",
	}, {
		name:   "Links: invalid metadata of the entry is ignored (umoci)",
		layers: layers(pack(file("a", "1", own(2, 3)), hard("b", "a", own(1<<40, -1), pax("LIBARCHIVE.xattr.user.a", "!")), symlink("s", "a", own(4, 5)), hard("r", "s", own(6, 7)))),
		want:   "a:1{2:3} b=a r->a{4:5} s=r",
	}, {
		name:   "Links: a size and no data, a header after it (libarchive compat_tar_hardlink)",
		layers: layers(pack(file("a", "12345"), tartest.Entry{Name: "b", Link: "a", Type: '1', Size: "00000000005\x00"}.Bytes(), file("c", "2"))),
		want:   "a:12345 b=a c:2",
	}, {
		name:   "Links: a size and no data, the end after it (libarchive compat_tar_hardlink)",
		layers: layers(pack(file("a", "12345"), tartest.Entry{Name: "b", Link: "a", Type: '1', Size: "00000000005\x00"}.Bytes())),
		want:   "a:12345 b=a",
	}, {
		name:   "Links: a size and no data, and nothing more",
		layers: layers(append(file("a", "12345"), tartest.Entry{Name: "b", Link: "a", Type: '1', Size: "00000000005\x00"}.Bytes()...)),
		want:   "a:12345 b=a",
	}, {
		name:   "Links: a size by pax, and the data (POSIX pax, linkdata)",
		layers: layers(pack(file("a", "12345"), tartest.Pax("size", "600"), tartest.Entry{Name: "b", Link: "a", Type: '1', Data: strings.Repeat("5", 600)}.Bytes(), file("c", "2"))),
		want:   "a:12345 b=a c:2",
	}})
}

// Symlinks and the fields of their targets.
func TestTargets(t *testing.T) {
	check(t, []rule{{
		name:   "Links: a symlink target that fills its field, without a NUL (POSIX ustar)",
		layers: layers(pack(tartest.Entry{Name: "l", Link: strings.Repeat("t", 100), Type: '2'}.Bytes())),
		want:   "l->" + strings.Repeat("t", 100),
	}, {
		name:   "Links: a symlink has no data, whatever its size (POSIX ustar: its size is 0)",
		layers: layers(pack(tartest.Entry{Name: "l", Link: "t", Type: '2', Size: "00000000005\x00"}.Bytes(), file("a", "1"))),
		want:   "a:1 l->t",
	}, {
		name:   "Links: an empty symlink target by pax falls back to the header's",
		layers: layers(pack(tartest.Pax("linkpath", ""), tartest.Entry{Name: "l", Link: "t", Type: '2'}.Bytes())),
		want:   "l->t",
	}, {
		name: "Links: an empty symlink target, with pax records", err: "target",
		layers: layers(pack(tartest.Pax("linkpath", ""), tartest.Entry{Name: "l", Type: '2'}.Bytes())),
	}, {
		name: "Links: a symlink target with a NUL", err: "layer 1",
		layers: layers(pack(tartest.Pax("linkpath", "a\x00b"), tartest.Entry{Name: "l", Link: "t", Type: '2'}.Bytes())),
	}})
}
