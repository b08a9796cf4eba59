// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// Names and links that led out of the root in other programs, or to a wrong path
// in it. They must resolve to a name in the tree.
func TestEscapes(t *testing.T) {
	passwd := pack(file("etc/passwd", "inside"))
	check(t, []rule{{
		name:   "Names: .. is removed lexically, after a missing name (containerd tar_test)",
		layers: layers(passwd, pack(file("dne/../etc/passwd", "new"))),
		want:   "etc/ etc/passwd:new",
	}, {
		name:   "Names: the root is its own parent, however often (umoci, moby go-archive)",
		layers: layers(pack(file("../victim/a", "1"), file("/../victim/b", "2"), file("/./.././../victim/c", "3"))),
		want:   "victim/ victim/a:1 victim/b:2 victim/c:3",
	}, {
		name:   "Names: a parent resolved through / (umoci)",
		layers: layers(pack(symlink("l", "/"), file("l/x", "1"))),
		want:   "l->/ x:1",
	}, {
		name:   "Names: a parent resolved through .. (umoci)",
		layers: layers(pack(symlink("l", ".."), symlink("m", "/../../.."), file("l/x", "1"), file("m/y", "2"))),
		want:   "l->.. m->/../../.. x:1 y:2",
	}, {
		name:   "Names: a parent resolved through its own directory",
		layers: layers(pack(symlink("d/l", "."), file("d/l/l/./x", "1"))),
		want:   "d/ d/l->. d/x:1",
	}, {
		name:   "Names: a parent resolved through two symlinks (containerd tar_test)",
		layers: layers(pack(dir("etc"), symlink("a/b", "/etc"), symlink("c", "/a/b"), file("c/x", "1"))),
		want:   "a/ a/b->/etc c->/a/b etc/ etc/x:1",
	}, {
		name:   "Names: a parent resolved through down and out (containerd tar_test)",
		layers: layers(passwd, pack(dir("down"), symlink("b/d", "../down/../../etc"), file("b/d/x", "1"))),
		want:   "b/ b/d->../down/../../etc down/ etc/ etc/passwd:inside etc/x:1",
	}, {
		name:   "Names: a missing directory before .. in a symlink target is created",
		layers: layers(pack(dir("etc"), symlink("l", "none/../etc"), file("l/x", "1"))),
		want:   "etc/ etc/x:1 l->none/../etc none/",
	}, {
		name:   "Names: a slash at the end of a symlink's target (containerd tar_test)",
		layers: layers(pack(symlink("l", "/etc/"), file("l/x", "1"))),
		want:   "etc/ etc/x:1 l->/etc/",
	}, {
		name:   "Names: a symlink called .. is the root, not a directory (containerd tar_test)",
		layers: layers(pack(symlink("..", "/etc"))),
		err:    "root is not a directory",
	}, {
		name:   "Names: a symlink with an empty name (containerd tar_test)",
		layers: layers(pack(tartest.Entry{Name: "", Link: "/etc", Type: '2'}.Bytes())),
		err:    "root is not a directory",
	}, {
		name:   "Names: .. after the name of a symlink is removed lexically (containerd tar_test)",
		layers: layers(passwd, pack(symlink("l/sub/..", "/etc/"), hard("l/x", "/etc/passwd"))),
		want:   "etc/ etc/passwd:inside etc/x=etc/passwd l->/etc/",
	}, {
		name:   "Links: a target above the root (containerd tar_test)",
		layers: layers(passwd, pack(hard("x", "../../../etc/passwd"), hard("y", "/../etc/./passwd"))),
		want:   "etc/ etc/passwd:inside x=etc/passwd y=etc/passwd",
	}, {
		name:   "Links: a target through an absolute symlink, through one that climbs (containerd tar_test)",
		layers: layers(passwd, pack(symlink("a", "/etc"), hard("x", "/a/passwd"), symlink("b", "../../../etc"), hard("y", "b/passwd"))),
		want:   "a->/etc b->../../../etc etc/ etc/passwd:inside x=etc/passwd y=etc/passwd",
	}, {
		name:   "Links: a target outside of the root is not found in it (moby go-archive)",
		layers: layers(pack(hard("x", "../victim/hello"))),
		err:    "not found",
	}, {
		name:   "Links: a target through a ring",
		layers: layers(pack(symlink("r", "r"), hard("x", "r/y"))),
		err:    "symlinks",
	}, {
		name:   "Links: a target through a file",
		layers: layers(passwd, pack(hard("x", "etc/passwd/y"))),
		err:    "not a directory",
	}, {
		name:   "Whiteouts: .. is removed lexically (containerd tar_test)",
		layers: layers(passwd, pack(file("dne/../.wh.etc", ""))),
		want:   "",
	}, {
		name:   "Whiteouts: above the root",
		layers: layers(passwd, pack(file("../../etc/.wh.passwd", ""))),
		want:   "etc/",
	}, {
		name:   "Whiteouts: through a symlink that climbs",
		layers: layers(passwd, pack(symlink("l", "../../etc")), pack(file("l/.wh.passwd", ""))),
		want:   "etc/ l->../../etc",
	}, {
		name:   "Whiteouts: the target of a dangling symlink is not created (containerd tar_test)",
		layers: layers(passwd, pack(symlink("l", "/dne")), pack(file("l/.wh.etc", ""), file("l/.wh..wh..opq", ""))),
		want:   "etc/ etc/passwd:inside l->/dne",
	}, {
		name:   "Whiteouts: through a ring",
		layers: layers(pack(symlink("r", "r")), pack(file("r/.wh.x", ""))),
		err:    "symlinks",
	}})
}

// The limits of a name (limits.h, NAME_MAX).
func TestNameLimits(t *testing.T) {
	longest, longer := strings.Repeat("n", 255), strings.Repeat("n", 256)
	check(t, []rule{{
		name:   "Names: a whole name of 64 KiB",
		layers: layers(pack(file(strings.Repeat("./", 32<<10-1)+"xy", "1"))),
		want:   "xy:1",
	}, {
		name:   "Names: a whole name over 64 KiB that cleans to one byte",
		layers: layers(pack(file(strings.Repeat("./", 32<<10)+"x", "1"))),
		err:    "65537 bytes",
	}, {
		name:   "Names: a hard link's target over 64 KiB",
		layers: layers(pack(file("x", ""), hard("y", strings.Repeat("./", 32<<10)+"x"))),
		err:    "65537 bytes",
	}, {
		name:   "Names: a component over 255 bytes in a hard link's target",
		layers: layers(pack(hard("y", longer))),
		err:    "256 bytes",
	}, {
		name:   "Names: a component over 255 bytes that .. removes",
		layers: layers(pack(file(longer+"/../x", "1"))),
		want:   "x:1",
	}, {
		name:   "Names: a component over 255 bytes in a symlink target that would be created",
		layers: layers(pack(symlink("l", longer), file("l/x", ""))),
		err:    "256 bytes",
	}, {
		name:   "Names: the same symlink is valid if it is not followed",
		layers: layers(pack(symlink("l", longer))),
		want:   "l->" + longer,
	}, {
		name:   "Whiteouts: of a name of 255 bytes, with a longer marker",
		layers: layers(pack(file(longest, "")), pack(file(".wh."+longest, ""))),
		want:   "",
	}, {
		name:   "Whiteouts: of a name over 255 bytes",
		layers: layers(pack(file(".wh."+longer, ""))),
		err:    "256 bytes",
	}, {
		name:   "Whiteouts: in a directory whose name is over 255 bytes",
		layers: layers(pack(file(longer+"/.wh.x", ""))),
		err:    "256 bytes",
	}, {
		name:   "Names: at most 40 symlinks for each name, not for an image",
		layers: layers(pack(append(chain(40), file("l0/x", ""), file("l0/y", ""), hard("l0/z", "l0/x"))...)),
		want:   showChain(40) + " t/ t/x: t/y: t/z=t/x",
	}, {
		name:   "Names: more than 40 symlinks before a hard link's target",
		layers: layers(pack(append(chain(41), file("t/x", ""), hard("y", "l0/x"))...)),
		err:    "symlinks",
	}, {
		name:   "Names: more than 40 symlinks before a whiteout",
		layers: layers(pack(chain(41)...), pack(file("l0/.wh.x", ""))),
		err:    "symlinks",
	}})
}
