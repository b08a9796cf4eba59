// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// put writes a header field.
func put(off int, value string) func([]byte) {
	return func(h []byte) { copy(h[off:], value) }
}

// Offsets of the numeric header fields (POSIX ustar).
const (
	modeField, uidField, gidField, sizeField, timeField = 100, 108, 116, 124, 136
	majorField, minorField, prefixField                 = 329, 337, 345
)

// fields returns an entry x of one byte with some header fields overwritten.
func fields(flag byte, pokes ...func([]byte)) []byte {
	data := "1"
	if strings.IndexByte("07\x00", flag) < 0 {
		data = ""
	}
	return tartest.Entry{Name: "x", Type: flag, Data: data, Poke: func(h []byte) {
		for _, poke := range pokes {
			poke(h)
		}
	}}.Bytes()
}

// Encodings of numbers by different archivers.
func TestNumberFields(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: numbers that fill their fields, without a terminator (libarchive, GNU tar)",
		layers: layers(pack(fields('0', put(modeField, "00000755"), put(uidField, "07777777"), put(gidField, "77777777"), put(sizeField, "000000000001"), put(timeField, "000000000001")))),
		want:   "x:1{0755,2097151:16777215}",
	}, {
		name:   "Metadata: numbers between spaces (V7)",
		layers: layers(pack(fields('0', put(modeField, "   755 \x00"), put(uidField, "    12 \x00"), put(gidField, "     7  "), put(sizeField, "          1 "), put(timeField, "          1 ")))),
		want:   "x:1{0755,10:7}",
	}, {
		name:   "Metadata: numbers between NULs",
		layers: layers(pack(fields('0', put(uidField, "\x00\x0012\x00\x00\x00\x00"), put(gidField, "7\x00\x00\x00\x00\x00\x00\x00")))),
		want:   "x:1{10:7}",
	}, {
		name:   "Metadata: a field of NULs is 0, and one of spaces (Go nil-uid.tar)",
		layers: layers(pack(fields('0', put(modeField, strings.Repeat("\x00", 8)), put(uidField, strings.Repeat("\x00", 8)), put(gidField, strings.Repeat(" ", 8)), put(timeField, strings.Repeat(" ", 12))))),
		want:   "x:1{0000,@0.000000000}",
	}, {
		name: "Metadata: a uid with a digit that is not octal", err: "layer 1",
		layers: layers(pack(fields('0', put(uidField, "0000008\x00")))),
	}, {
		name: "Metadata: a gid with a sign", err: "layer 1",
		layers: layers(pack(fields('0', put(gidField, "-000001\x00")))),
	}, {
		name: "Metadata: a mode that is no number", err: "layer 1",
		layers: layers(pack(fields('0', put(modeField, "rwxr-xr-")))),
	}, {
		name:   "Metadata: base-256 (GNU tar manual, Large or Negative Values)",
		layers: layers(pack(fields('0', put(modeField, tartest.Base256(8, 0o755)), put(uidField, tartest.Base256(8, 70000)), put(gidField, tartest.Base256(8, 1<<32-2)), put(sizeField, tartest.Base256(12, 1)), put(timeField, tartest.Base256(12, 1<<33))))),
		want:   "x:1{0755,70000:4294967294,@8589934592.000000000}",
	}, {
		name:   "Metadata: a base-256 time before 1970 (GNU tar manual, Large or Negative Values)",
		layers: layers(pack(fields('0', put(timeField, strings.Repeat("\xff", 11)+"\xfe")))),
		want:   "x:1{@-2.000000000}",
	}, {
		name: "Metadata: a base-256 gid out of range", err: "gid 4294967295",
		layers: layers(pack(fields('5', put(gidField, tartest.Base256(8, 1<<32-1))))),
	}, {
		name: "Metadata: uid and gid in range, on all file types", err: "uid -1",
		layers: layers(pack(fields('2', put(157, "t"), put(uidField, strings.Repeat("\xff", 8))))),
	}, {
		name:   "Metadata: the largest octal time",
		layers: layers(pack(fields('0', put(timeField, "77777777777\x00")))),
		want:   "x:1{@8589934591.000000000}",
	}, {
		name:   "Metadata: device numbers in base-256, and at their limits",
		layers: layers(pack(fields('4', put(majorField, tartest.Base256(8, 4095)), put(minorField, tartest.Base256(8, 1<<20-1))))),
		want:   "x<block 4095,1048575>",
	}, {
		name: "Metadata: a negative device number", err: "-1,0",
		layers: layers(pack(fields('3', put(majorField, strings.Repeat("\xff", 8)), put(minorField, "0000000\x00")))),
	}, {
		name: "Metadata: a minor number that would wrap", err: "0,4294967296",
		layers: layers(pack(fields('4', put(majorField, "0000000\x00"), put(minorField, tartest.Base256(8, 1<<32))))),
	}, {
		name: "Metadata: a major number that is no number", err: "layer 1",
		layers: layers(pack(fields('3', put(majorField, "tty")))),
	}, {
		name: "Contents: a base-256 size below 0 (Go neg-size.tar)", err: "layer 1",
		layers: layers(pack(fields('0', put(sizeField, strings.Repeat("\xff", 11)+"\xfe")))),
	}, {
		name: "Contents: a size that is no number", err: "layer 1",
		layers: layers(pack(fields('0', put(sizeField, "0x1")))),
	}})
}

// Mode bits by file type.
func TestModes(t *testing.T) {
	check(t, []rule{{
		name:   "Metadata: mode 0000, as of shadow and sudo (boxlite#697)",
		layers: layers(pack(file("etc/gshadow", "1", mode(0)), dir("d", mode(0)), file("d/x", "2", mode(0o4111)))),
		want:   "d/{0000} d/x:2{4111} etc/ etc/gshadow:1{0000}",
	}, {
		name:   "Metadata: the low 12 bits, whatever the type bits (Go writer.tar)",
		layers: layers(pack(fields('0', put(modeField, "0040755\x00")), dir("d", mode(0o100644)), symlink("l", "t", mode(0o107777)))),
		want:   "d/{0644} l->t x:1{0755}",
	}, {
		name:   "Metadata: the low 12 bits on devices and fifos",
		layers: layers(pack(node("c", '3', 1, 3, mode(0o7777)), node("p", '6', 0, 0, mode(0o2620), own(1, 5)))),
		want:   "c<char 1,3>{7777} p<fifo>{2620,1:5}",
	}, {
		name:   "Metadata: setuid with an owner other than root",
		layers: layers(pack(file("x", "1", mode(0o6755), own(1000, 1000)))),
		want:   "x:1{6755,1000:1000}",
	}, {
		name:   "Metadata: names are ignored, though the ids are 0 (numeric ids win)",
		layers: layers(pack(fields('0', put(265, "daemon"), put(297, "wheel")), file("y", "", pax("uname", "root"), pax("gname", "root"), own(1, 2)))),
		want:   "x:1 y:{1:2}",
	}})
}

func TestTypeflags(t *testing.T) {
	rules := []rule{{
		name:   "Contents: 0 with a trailing / by pax, by GNU's long name",
		layers: layers(pack(tartest.Pax("path", "a/"), tartest.Entry{Name: "x", Type: '0'}.Bytes(), tartest.Entry{Name: "L", Type: 'L', Data: "b/\x00"}.Bytes(), tartest.Entry{Name: "x", Type: 0}.Bytes())),
		want:   "a/{0644} b/{0644}",
	}, {
		name:   "Contents: 0 with a trailing / that pax removes (Go pax-path-hdr.tar)",
		layers: layers(pack(tartest.Pax("path", "a"), tartest.Entry{Name: "x/", Type: '0', Data: "1"}.Bytes())),
		want:   "a:1",
	}, {
		name:   "Contents: directories, devices and fifos have no data, whatever their size (POSIX ustar)",
		layers: layers(pack(fields('5', put(sizeField, "00000010000\x00")), tartest.Entry{Name: "p", Type: '6', Size: "00000000777\x00"}.Bytes(), tartest.Entry{Name: "c", Type: '3', Size: "00000000777\x00"}.Bytes(), file("y", "1"))),
		want:   "c<char 0,0> p<fifo> x/{0644} y:1",
	}, {
		name:   "Contents: a directory without a trailing /, a file of no bytes",
		layers: layers(pack(fields('5'), tartest.Entry{Name: "y", Type: '0'}.Bytes(), tartest.Entry{Name: "z", Type: 0}.Bytes())),
		want:   "x/{0644} y: z:",
	}, {
		name:   "Contents: lost+found/ twice, as 0 with a trailing /, with metadata",
		layers: layers(pack(dir("lost+found/", mode(0o700))), pack(tartest.Entry{Name: "lost+found/", Type: '0'}.Bytes(), file("lost+found/x", "1"))),
		want:   "lost+found/{0644} lost+found/x:1",
	}, {
		name: "Contents: a symlink called lost+found", layers: layers(pack(symlink("lost+found", "t"))), err: "reserved",
	}, {
		name: "Contents: a device called lost+found", layers: layers(pack(node("./lost+found", '3', 1, 3))), err: "reserved",
	}, {
		name: "Contents: a file called lost+found through a symlink to the root", err: "reserved",
		layers: layers(pack(symlink("r", "/"), file("r/lost+found", ""))),
	}, {
		name: "Contents: a file over the directory lost+found", err: "reserved",
		layers: layers(pack(dir("lost+found")), pack(file("d/../lost+found", ""))),
	}, {
		name:   "Contents: eStargz's landmarks and table, zstd:chunked's, in a directory too",
		layers: layers(pack(file("stargz.index.json", "1"), file(".prefetch.landmark", "\xf0"), file("d/.no.prefetch.landmark", "\xf0"))),
		want:   `.prefetch.landmark:\360 d/ d/.no.prefetch.landmark:\360 stargz.index.json:1`,
	}}
	// A to Z are for custom extensions (POSIX ustar); the rest are reserved.
	for _, flag := range "8ABCDEFGHIJMNOPQRTUVWXYZacs" {
		name := map[rune]string{'D': " (GNU tar: dumpdir)", 'M': " (GNU tar: multi-volume)", 'N': " (GNU tar: long names of old)",
			'V': " (GNU tar: volume label)", 'X': " (Solaris: extended header)", 'A': " (Solaris: ACL)", 'E': " (Solaris: extended attributes)"}[flag]
		rules = append(rules, rule{name: "Contents: an unknown typeflag is an error that names it: " + string(flag) + name,
			layers: layers(pack(tartest.Entry{Name: "a", Type: byte(flag), Data: "b\x00"}.Bytes())), err: "'" + string(flag) + "'"})
	}
	check(t, rules)
}
