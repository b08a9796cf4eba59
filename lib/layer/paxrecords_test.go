// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// extended returns an extended header with the given data.
func extended(data string) []byte {
	return tartest.Entry{Name: "PaxHeader", Type: 'x', Data: data}.Bytes()
}

func TestPaxRecords(t *testing.T) {
	x := tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes()
	check(t, []rule{{
		name:   "Metadata: pax: a header applies only to the next entry (POSIX pax, Extended Header)",
		layers: layers(pack(tartest.Pax("path", "a", "uid", "7", "mtime", "9"), x, x)),
		want:   "a:1{7:0,@9.000000000} x:1",
	}, {
		name:   "Metadata: pax: the last of two records of one key wins (POSIX pax, Extended Header)",
		layers: layers(pack(tartest.Pax("path", "a", "uid", "7", "path", "b", "uid", "8"), x)),
		want:   "b:1{8:0}",
	}, {
		name:   "Metadata: pax: an empty value after another falls back to the header's (POSIX pax, Extended Header)",
		layers: layers(pack(tartest.Pax("path", "a", "path", ""), x)),
		want:   "x:1",
	}, {
		name:   "Metadata: pax: values with = and with newlines, in any order",
		layers: layers(pack(tartest.Pax("mtime", "9", "path", "a=b\nc=d", "comment", "\n5 a=\n"), x)),
		want:   `a\075b\012c\075d:1{@9.000000000}`,
	}, {
		name:   "Metadata: pax: a long name",
		layers: layers(pack(tartest.Pax("path", strings.Repeat("./", 5000)+"a"), x)),
		want:   "a:1",
	}, {
		name:   "Metadata: pax: path wins over ustar's prefix",
		layers: layers(pack(tartest.Pax("path", "a"), tartest.Entry{Name: "x", Type: '0', Data: "1", Poke: put(prefixField, "p")}.Bytes())),
		want:   "a:1",
	}, {
		name:   "Metadata: pax: path of a whiteout, of a hard link",
		layers: layers(pack(file("a", "1"), file("b", "2")), pack(tartest.Pax("path", ".wh.a"), x, tartest.Pax("path", "c", "linkpath", "b"), tartest.Entry{Name: "x", Link: "y", Type: '1'}.Bytes())),
		want:   "b:2 c=b",
	}, {
		name:   "Metadata: pax: size overrides a smaller header field (Go pax-pos-size-file.tar)",
		layers: layers(pack(tartest.Pax("size", "600"), tartest.Entry{Name: "a", Type: '0', Size: "00000000001\x00", Data: strings.Repeat("s", 600)}.Bytes(), x)),
		want:   "a:" + strings.Repeat("s", 600) + " x:1",
	}, {
		name:   "Metadata: pax: size overrides an invalid header field",
		layers: layers(pack(tartest.Pax("size", "3"), tartest.Entry{Name: "a", Type: '0', Size: "77777777777\x00", Data: "abc"}.Bytes(), x)),
		want:   "a:abc x:1",
	}, {
		name: "Metadata: pax: records named like header fields but not defined by pax are ignored",
		layers: layers(pack(tartest.Pax("mode", "0000755", "devmajor", "7", "devminor", "8"), file("a", "1"),
			tartest.Pax("mode", "x", "devmajor", "7", "devminor", "8", "typeflag", "5"), node("d", '3', 3, 4))),
		want: "a:1 d<char 3,4>",
	}, {
		name:   "Metadata: pax: size of 0",
		layers: layers(pack(tartest.Pax("size", "0"), tartest.Entry{Name: "a", Type: '0', Size: "00000000777\x00"}.Bytes(), x)),
		want:   "a: x:1",
	}, {
		name: "Metadata: pax: size below 0 (libarchive tar_invalid_pax_size)", err: "layer 1",
		layers: layers(pack(tartest.Pax("size", "-1"), x)),
	}, {
		name: "Contents: a pax size of 8 EiB", err: "layer 1",
		layers: layers(pack(tartest.Pax("size", "9223372036854775807"), x)),
	}, {
		name: "Metadata: pax: size over 64 bits", err: "layer 1",
		layers: layers(pack(tartest.Pax("size", "18446744073709551617"), x)),
	}, {
		name: "Metadata: pax: size that is no number", err: "layer 1", layers: layers(pack(tartest.Pax("size", "1.5"), x)),
	}, {
		name: "Metadata: pax: uid below 0", err: "uid -1", layers: layers(pack(tartest.Pax("uid", "-1"), x)),
	}, {
		name: "Metadata: pax: gid 2^32-1", err: "gid 4294967295", layers: layers(pack(tartest.Pax("gid", "4294967295"), x)),
	}, {
		name: "Metadata: pax: uid beyond 64 bits is not wrapped", err: "layer 1", layers: layers(pack(tartest.Pax("uid", "18446744073709551616"), x)),
	}, {
		name: "Metadata: pax: uid that is no number", err: "layer 1", layers: layers(pack(tartest.Pax("uid", "root"), x)),
	}, {
		name: "Metadata: pax: mtime that is no number (Go pax-bad-mtime-file.tar)", err: "layer 1", layers: layers(pack(tartest.Pax("mtime", "yesterday"), x)),
	}, {
		name: "Metadata: pax: mtime with an exponent", err: "layer 1", layers: layers(pack(tartest.Pax("mtime", "1e9"), x)),
	}, {
		name:   "Metadata: pax: mtime with fewer digits than nine, and with more",
		layers: layers(pack(tartest.Pax("path", "a", "mtime", "5.25"), x, tartest.Pax("path", "b", "mtime", "5.1234567891"), x, tartest.Pax("path", "c", "mtime", "5."), x)),
		want:   "a:1{@5.250000000} b:1{@5.123456789} c:1{@5.000000000}",
	}, {
		name:   "Metadata: pax: mtime before 1970, with a fraction (libarchive tar_pax_negative_time)",
		layers: layers(pack(tartest.Pax("path", "a", "mtime", "-1.25"), x, tartest.Pax("path", "b", "mtime", "-0.5"), x, tartest.Pax("path", "c", "mtime", "-2146608000"), x)),
		want:   "a:1{@-2.750000000} b:1{@-1.500000000} c:1{@-2146608000.000000000}",
	}, {
		name:   "Metadata: pax: atime, ctime and crtime are ignored",
		layers: layers(pack(tartest.Pax("atime", "5", "ctime", "6.5", "LIBARCHIVE.creationtime", "7"), x)),
		want:   "x:1",
	}, {
		name:   "Metadata: pax: GNU.sparse.name without a map is ignored",
		layers: layers(pack(tartest.Pax("VENDOR.GNU.sparse.name", "a", "hdrcharset", "BINARY", "SCHILY.dev", "5", "SCHILY.ino", "6", "SCHILY.nlink", "7"), x)),
		want:   "x:1",
	}, {
		name:   "Metadata: pax: an unknown key of a megabyte (libarchive tar_pax_large_attr)",
		layers: layers(pack(tartest.Pax("VENDOR.large", strings.Repeat("v", 900<<10)), x)),
		want:   "x:1",
	}, {
		name:   "Metadata: pax: no records",
		layers: layers(pack(extended(""), x)), want: "x:1",
	}, {
		name: "Metadata: pax: a path with a NUL, in any header (Go pax-nul-path.tar)", err: "layer 1",
		layers: layers(pack(tartest.Pax("path", "\x00"), x)),
	}, {
		name:   "Metadata: pax: an xattr's value with a NUL",
		layers: layers(pack(tartest.Pax("SCHILY.xattr.security.selinux", "unconfined_u:object_r:default_t:s0\x00"), x)),
		want:   `x:1{security.selinux=unconfined_u\072object_r\072default_t\072s0\000}`,
	}})
}

// A malformed record is an error (POSIX pax: "%d %s=%s\n").
func TestMalformedRecords(t *testing.T) {
	var rules []rule
	for name, data := range map[string]string{
		"no length": "path=a\n", "no space": "7path=a\n", "no =": "7 path\n", "no key": "5 =a\n",
		"no newline": "9 path=ab", "a length that is short": "8 path=abc\n", "a length that is long": "13 path=abc\n",
		"a length of 0": "0 path=a\n", "a length below 0": "-9 path=a\n", "a length of only itself": "2 path=a\n",
		"a length beyond 64 bits": "18446744073709551625 path=a\n", "a length in hex": "0xa path=a\n",
		"NULs after the last": tartest.Record("path", "a") + "\x00\x00", "half a second one": tartest.Record("path", "a") + "9 uid",
	} {
		rules = append(rules, rule{name: "Metadata: a malformed record: " + name, err: "layer 1",
			layers: layers(pack(extended(data), file("x", "")))})
	}
	check(t, rules)
}

func TestGlobalHeaders(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: only a global header, as of an empty git archive (libarchive tar_empty_pax)",
		layers: layers(pack(tartest.Global("comment", "da39a3ee5e6b4b0d3255bfef95601890afd80709"))), want: "",
	}, {
		name:   "Metadata: a global header between two entries is ignored",
		layers: layers(pack(file("a", "1"), tartest.Global("mtime", "9", "gid", "7", "SCHILY.xattr.user.a", "v", "size", "3", "linkpath", "t"), file("b", "2"), symlink("l", "u"))),
		want:   "a:1 b:2 l->u",
	}, {
		name:   "Metadata: invalid values of a global header are ignored",
		layers: layers(pack(tartest.Global("uid", "4294967296", "LIBARCHIVE.xattr.user.a", "!", "path", ".wh."), file("a", "1"))),
		want:   "a:1",
	}, {
		name:   "Metadata: a global header before an extended header",
		layers: layers(pack(tartest.Global("path", "no"), tartest.Pax("path", "yes"), tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes())),
		want:   "yes:1",
	}, {
		name: "Metadata: a malformed record of a global header", err: "layer 1",
		layers: layers(pack(tartest.Entry{Name: "g", Type: 'g', Data: "99 path=a\n"}.Bytes(), file("x", ""))),
	}})
}

// Pax records that are not xattrs, and xattrs that only some file types have.
func TestXattrsOnEachKind(t *testing.T) {
	all := func(h *tar.Header) {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.s": "1", "SCHILY.xattr.trusted.t": "2", "SCHILY.xattr.user.u": "3",
			"SCHILY.xattr.system.posix_acl_access": "4", "SCHILY.xattr.system.posix_acl_default": "5"}
	}
	check(t, []rule{{
		name:   "Metadata: xattrs that the kernel accepts, on each file type (xattr(7))",
		layers: layers(pack(dir("d", all), file("f", "", all), symlink("l", "t", all), node("c", '3', 1, 3, all), node("p", '6', 0, 0, all))),
		want: "c<char 1,3>{security.s=1,system.posix_acl_access=4,trusted.t=2} " +
			"d/{security.s=1,system.posix_acl_access=4,system.posix_acl_default=5,trusted.t=2,user.u=3} " +
			"f:{security.s=1,system.posix_acl_access=4,trusted.t=2,user.u=3} " +
			"l->t{security.s=1,trusted.t=2} p<fifo>{security.s=1,system.posix_acl_access=4,trusted.t=2}",
	}, {
		name:   "Metadata: SCHILY values are not decoded",
		layers: layers(pack(file("x", "", pax("SCHILY.xattr.user.a%20b", "djE=")))),
		want:   `x:{user.a%20b=djE\075}`,
	}, {
		name:   "Metadata: LIBARCHIVE's value with padding, and empty",
		layers: layers(pack(file("x", "", pax("LIBARCHIVE.xattr.user.a", "djE="), pax("LIBARCHIVE.xattr.trusted.e", "")))),
		want:   "x:{trusted.e=,user.a=v1}",
	}, {
		name:   "Metadata: LIBARCHIVE's name in any encoding",
		layers: layers(pack(tartest.Pax("LIBARCHIVE.xattr.user.%C3%A9%FF", "djE"), file("x", ""))),
		want:   "x:{user.\u00e9\xff=v1}",
	}, {
		name:   "Metadata: the same over GNU's long name (GNU tar --xattrs)",
		layers: layers(pack(tartest.Pax("SCHILY.xattr.user.a", "1"), long('L', "long\x00"), tartest.Entry{Name: "x", Type: '0'}.Bytes())),
		want:   "long:{user.a=1}",
	}})
}
