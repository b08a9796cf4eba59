// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"
)

// base256 is a number as GNU tar writes what octal digits cannot say.
func base256(size int, v uint64) string {
	b := make([]byte, size)
	for i := range b {
		if shift := 8 * (size - 1 - i); shift < 64 {
			b[i] = byte(v >> shift)
		}
	}
	b[0] |= 0x80
	return string(b)
}

func TestOwnersAndModes(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: uid and gid up to 2^32-2, from pax (CelestoAI/SmolVM#255)",
		layers: layers(pack(file("x", "", own(1<<32-2, 65534)))),
		want:   "x:{4294967294:65534}",
	}, {
		name:   "Metadata: uid from base-256",
		layers: layers(pack(raw{name: "x", flag: '0', uid: base256(8, 1<<32-2)}.bytes())),
		want:   "x:{4294967294:0}",
	}, {
		name: "Metadata: uid 2^32-1", layers: layers(pack(file("x", "", own(1<<32-1, 0)))), err: "uid 4294967295",
	}, {
		name: "Metadata: gid 2^32", layers: layers(pack(file("x", "", own(0, 1<<32)))), err: "gid 4294967296",
	}, {
		name:   "Metadata: a uid that wraps to 0",
		layers: layers(pack(raw{name: "x", flag: '0', uid: base256(8, 1<<40)}.bytes())),
		err:    "uid 1099511627776",
	}, {
		name:   "Metadata: a negative uid",
		layers: layers(pack(raw{name: "x", flag: '0', uid: "\xff\xff\xff\xff\xff\xff\xff\xfe"}.bytes())),
		err:    "uid -2",
	}, {
		name:   "Metadata: a uid that is no number",
		layers: layers(pack(raw{name: "x", flag: '0', uid: "root"}.bytes())),
		err:    "header",
	}, {
		name:   "Metadata: numeric ids win, names are ignored",
		layers: layers(pack(file("x", "", own(5, 6), pax("uname", "nobody"), pax("gname", "nogroup")))),
		want:   "x:{5:6}",
	}, {
		name:   "Metadata: the low 12 bits of the mode",
		layers: layers(pack(file("x", "", mode(0o107777)), dir("d", mode(0o1777)), file("s", "", mode(0o4755)), file("z", "", mode(0)))),
		want:   "d/{1777} s:{4755} x:{7777} z:{0000}",
	}, {
		name:   "Metadata: symlinks are 0777 and have an owner",
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
		name:   "Metadata: the first and the last time that ext4 holds",
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
		name: "Metadata: path linkpath size uid gid mtime win over the header",
		layers: layers(pack(
			paxHeader(false, "path", "x", "size", "3", "uid", "7", "gid", "8", "mtime", "9.5"),
			raw{name: "wrong", flag: '0', size: "00000000000\x00", data: "abc"}.bytes(),
			paxHeader(false, "linkpath", "right"), raw{name: "l", link: "wrong", flag: '2'}.bytes())),
		want: "l->right x:abc{7:8,@9.500000000}",
	}, {
		name: "Metadata: empty pax values fall back",
		layers: layers(pack(paxHeader(false, "path", "", "uid", "", "mtime", "", "size", ""),
			raw{name: "x", flag: '0', data: "abc"}.bytes())),
		want: "x:abc",
	}, {
		name:   "Metadata: comments and unknown keys are ignored",
		layers: layers(pack(file("x", "", pax("comment", "hello"), pax("VENDOR.key", "v")))),
		want:   "x:",
	}, {
		name:   "Metadata: a malformed record",
		layers: layers(pack(raw{name: "PaxHeader", flag: 'x', data: "99 path=x\n"}.bytes(), file("x", ""))),
		err:    "header",
	}, {
		name:   "Metadata: a path record with a NUL",
		layers: layers(pack(paxHeader(false, "path", "a\x00b"), file("x", ""))),
		err:    "header",
	}, {
		name: "Metadata: a global header leaves no file, its values are ignored",
		layers: layers(pack(paxHeader(true, "uid", "5", "path", "other", "comment", "of git archive"),
			file("x", ""))),
		want: "x:",
	}})
}
