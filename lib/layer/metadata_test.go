// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

func TestOwnersAndModes(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: uid and gid up to 2^32-2, from pax (CelestoAI/SmolVM#255)",
		layers: layers(pack(file("x", "", own(1<<32-2, 65534)))),
		want:   "x:{4294967294:65534}",
	}, {
		name:   "Metadata: uid from base-256",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', UID: tartest.Base256(8, 1<<32-2)}.Bytes())),
		want:   "x:{4294967294:0}",
	}, {
		name: "Metadata: uid 2^32-1", layers: layers(pack(file("x", "", own(1<<32-1, 0)))), err: "uid 4294967295",
	}, {
		name: "Metadata: gid 2^32", layers: layers(pack(file("x", "", own(0, 1<<32)))), err: "gid 4294967296",
	}, {
		name:   "Metadata: a uid that wraps to 0",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', UID: tartest.Base256(8, 1<<40)}.Bytes())),
		err:    "uid 1099511627776",
	}, {
		name:   "Metadata: a negative uid",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', UID: "\xff\xff\xff\xff\xff\xff\xff\xfe"}.Bytes())),
		err:    "uid -2",
	}, {
		name:   "Metadata: a uid that is no number",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', UID: "root"}.Bytes())),
		err:    "invalid octal number",
	}, {
		name:   "Metadata: numeric ids win, names are ignored",
		layers: layers(pack(file("x", "", own(5, 6), pax("uname", "nobody"), pax("gname", "nogroup")))),
		want:   "x:{5:6}",
	}, {
		name:   "Metadata: the low 12 bits of the mode",
		layers: layers(pack(file("x", "", mode(0o107777)), dir("d", mode(0o1777)), file("s", "", mode(0o4755)), file("z", "", mode(0)))),
		want:   "d/{1777} s:{4755} x:{7777} z:{0000}",
	}, {
		name:   "Metadata: symlinks have mode 0777 and an owner",
		layers: layers(pack(symlink("l", "t", mode(0o640), own(3, 4)))),
		want:   "l->t{3:4}",
	}, {
		name:   "Metadata: devices and fifos (apple/containerization, oci2rootfs)",
		layers: layers(pack(node("c", '3', 4095, 1<<20-1, mode(0o660)), node("b", '4', 259, 300), node("p", '6', 7, 7))),
		want:   "b<block 259,300> c<char 4095,1048575>{0660} p<fifo>",
	}, {
		name: "Metadata: a major of 4096", layers: layers(pack(node("c", '3', 4096, 0))), err: "4096,0",
	}, {
		name: "Metadata: a minor of 2^20", layers: layers(pack(node("b", '4', 0, 1<<20))), err: "0,1048576",
	}})
}

func TestTimes(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: nanoseconds, before 1970 too (mke2fs -d drops them)",
		layers: layers(pack(file("x", "", at(1700000000, 123456789)), file("y", "", at(-2, 500000001)), dir("d", at(0, 0)))),
		want:   "d/{@0.000000000} x:{@1700000000.123456789} y:{@-2.500000001}",
	}, {
		name:   "Metadata: the first and the last time of ext4",
		layers: layers(pack(file("a", "", at(-1<<31, 0)), file("z", "", at(1<<34-1<<31-1, 999999999)))),
		want:   "a:{@-2147483648.000000000} z:{@15032385535.999999999}",
	}})
	image := newImage(t)
	err := image.apply(pack(file("a", "", at(-1<<31-1, 999999999)), file("z", "", at(1<<34-1<<31, 0))))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := image.show(), "a:{@-2147483648.000000000} z:{@15032385535.000000000}"; got != want {
		t.Errorf("Metadata: other times are clamped: got %s, want %s", got, want)
	}
	if len(image.warned) != 1 || !strings.Contains(image.warned[0], "clamped") {
		t.Errorf("Metadata: clamped with a warning: %q", image.warned)
	}
}

func TestPax(t *testing.T) {
	check(t, []rule{{
		name: "Metadata: path, linkpath, size, uid, gid and mtime override the header",
		layers: layers(pack(
			tartest.Pax("path", "x", "size", "3", "uid", "7", "gid", "8", "mtime", "9.5"),
			tartest.Entry{Name: "wrong", Type: '0', Size: "00000000000\x00", Data: "abc"}.Bytes(),
			tartest.Pax("linkpath", "right"), tartest.Entry{Name: "l", Link: "wrong", Type: '2'}.Bytes())),
		want: "l->right x:abc{7:8,@9.500000000}",
	}, {
		name: "Metadata: empty pax values fall back",
		layers: layers(pack(tartest.Pax("path", "", "uid", "", "mtime", "", "size", ""),
			tartest.Entry{Name: "x", Type: '0', Data: "abc"}.Bytes())),
		want: "x:abc",
	}, {
		name:   "Metadata: comments and unknown keys are ignored",
		layers: layers(pack(file("x", "", pax("comment", "hello"), pax("VENDOR.key", "v")))),
		want:   "x:",
	}, {
		name:   "Metadata: a malformed record",
		layers: layers(pack(tartest.Entry{Name: "PaxHeader", Type: 'x', Data: "99 path=x\n"}.Bytes(), file("x", ""))),
		err:    "pax record at byte 0",
	}, {
		name:   "Metadata: a path record with a NUL",
		layers: layers(pack(tartest.Pax("path", "a\x00b"), file("x", ""))),
		err:    "contains a NUL",
	}, {
		name: "Metadata: a global header leaves no file, its values are ignored",
		layers: layers(pack(tartest.Global("uid", "5", "path", "other", "comment", "of git archive"),
			file("x", ""))),
		want: "x:",
	}})
}
