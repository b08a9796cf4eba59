// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// long returns a GNU entry with the name (L) or target (K) of the next entry.
func long(flag byte, data string) []byte {
	return tartest.Entry{Name: "././@LongLink", Type: flag, Data: data}.Bytes()
}

// Archives in V7, star and GNU formats.
func TestDialects(t *testing.T) {
	v7 := func(h []byte) { clear(h[257:]) }
	star := func(h []byte) {
		copy(h[prefixField:], "pre/fix")
		copy(h[476:], "00000000007\x0000000000010\x00")
		copy(h[508:], "tar\x00")
	}
	gnu := func(h []byte) { copy(h[257:], "ustar  \x00") }
	check(t, []rule{{
		name: "Contents: V7: files, directories by their slash, hard links, symlinks",
		layers: layers(pack(tartest.Entry{Name: "d/", Type: 0, Poke: v7}.Bytes(), tartest.Entry{Name: "d/a", Type: 0, Data: "1", Poke: v7}.Bytes(),
			tartest.Entry{Name: "d/b", Type: '1', Link: "d/a", Poke: v7}.Bytes(), tartest.Entry{Name: "l", Type: '2', Link: "t", Poke: v7}.Bytes())),
		want: "d/{0644} d/a:1 d/b=d/a l->t",
	}, {
		name:   "Names: V7: a name that fills the field",
		layers: layers(pack(tartest.Entry{Name: strings.Repeat("n", 100), Type: 0, Data: "1", Poke: v7}.Bytes())),
		want:   strings.Repeat("n", 100) + ":1",
	}, {
		name:   "Names: ustar: a prefix and a name that fill their fields",
		layers: layers(pack(tartest.Entry{Name: strings.Repeat("n", 100), Type: '0', Data: "1", Poke: put(prefixField, strings.Repeat("p", 155))}.Bytes())),
		want:   strings.Repeat("p", 155) + "/ " + strings.Repeat("p", 155) + "/" + strings.Repeat("n", 100) + ":1",
	}, {
		name:   "Names: star: a prefix of 131 bytes, followed by atime and ctime",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', Data: "1", Poke: star}.Bytes())),
		want:   "pre/ pre/fix/ pre/fix/x:1",
	}, {
		name: "Names: GNU: times in place of the ustar prefix are not a name",
		layers: layers(pack(tartest.Entry{Name: "x", Type: '0', Data: "1", Poke: func(h []byte) {
			gnu(h)
			copy(h[345:], "00000000007\x0000000000010\x00")
		}}.Bytes())),
		want: "x:1",
	}, {
		name: "Names: GNU magic and a ustar prefix, as Go wrote them up to 1.7 (containerd TestPrefixHeaderReadable, golang#12594)",
		layers: layers(pack(tartest.Entry{Name: "foo", Type: '0', Data: "1", Poke: func(h []byte) {
			gnu(h)
			copy(h[345:], strings.Repeat("a", 97))
		}}.Bytes())),
		want: strings.Repeat("a", 97) + "/ " + strings.Repeat("a", 97) + "/foo:1",
	}, {
		name: "Names: GNU: a long name and a long link, in either order (GNU tar manual, Extensions)",
		layers: layers(pack(long('L', "name1\x00"), long('K', "target1\x00"), tartest.Entry{Name: "x", Link: "y", Type: '2', Poke: gnu}.Bytes(),
			long('K', "target2\x00"), long('L', "name2\x00"), tartest.Entry{Name: "x", Link: "y", Type: '2', Poke: gnu}.Bytes(),
			tartest.Entry{Name: "x", Link: "y", Type: '2', Poke: gnu}.Bytes())),
		want: "name1->target1 name2->target2 x->y",
	}, {
		name:   "Names: GNU: a long name up to its NUL, and without one (Go gnu-long-nul.tar)",
		layers: layers(pack(long('L', "long\x00er"), tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes(), long('L', "bare"), tartest.Entry{Name: "x", Type: '0', Data: "2"}.Bytes())),
		want:   "bare:2 long:1",
	}, {
		name:   "Names: GNU: the last of two long names wins (libarchive gtar_redundant_L)",
		layers: layers(pack(long('L', "first\x00"), long('L', "second\x00"), tartest.Entry{Name: "x", Type: '0', Data: "1"}.Bytes())),
		want:   "second:1",
	}, {
		name:   "Links: GNU: a long target of a hard link",
		layers: layers(pack(file(strings.Repeat("d/", 120)+"a", "1"), long('K', strings.Repeat("d/", 120)+"a\x00"), tartest.Entry{Name: "b", Link: "d", Type: '1'}.Bytes(), file(".wh.d", ""))),
		want:   "b:1 " + deepDirs(120) + " " + strings.Repeat("d/", 120) + "a=b",
	}, {
		name:   "Links: GNU: a long symlink target of 4095 bytes",
		layers: layers(pack(long('K', strings.Repeat("t", 4095)+"\x00"), tartest.Entry{Name: "l", Link: "t", Type: '2'}.Bytes())),
		want:   "l->" + strings.Repeat("t", 4095),
	}, {
		name: "Links: GNU: a long symlink target of 4096 bytes", err: "4096 bytes",
		layers: layers(pack(long('K', strings.Repeat("t", 4096)+"\x00"), tartest.Entry{Name: "l", Link: "t", Type: '2'}.Bytes())),
	}, {
		name: "Names: GNU: a long name over 64 KiB", err: "bytes",
		layers: layers(pack(long('L', strings.Repeat("./", 32<<10)+"x\x00"), tartest.Entry{Name: "x", Type: '0'}.Bytes())),
	}, {
		name: "Contents: GNU: truncated after a long name", err: "layer 1", layers: layers(pack(long('L', "long\x00"))),
	}, {
		name: "Contents: GNU: truncated after a long link, without zero blocks", err: "layer 1", layers: layers(long('K', "long\x00")),
	}, {
		name:   "Contents: a header checksum of signed bytes (POSIX pax, chksum; SunOS)",
		layers: layers(pack(signed(tartest.Entry{Name: "\xff\xfe", Type: '0', Data: "1"}.Bytes()), file("x", "2"))),
		want:   `x:2 \377\376:1`,
	}, {
		name:   "Contents: a header checksum with leading spaces and no terminator",
		layers: layers(pack(rewritten(file("x", "1"), "  "), rewritten(file("y", "2"), "00"))),
		want:   "x:1 y:2",
	}, {
		name: "Contents: a header checksum that is not a number", err: "layer 1",
		layers: layers(pack(append(bytes.Clone(file("x", "1")[:148]), append([]byte("checksum"), file("x", "1")[156:]...)...))),
	}, {
		name: "Contents: not an archive", err: "layer 1", layers: layers([]byte(strings.Repeat("This is not an archive at all. ", 100))),
	}, {
		name: "Contents: not an archive, and short", err: "layer 1", layers: layers([]byte("short")),
	}})
}

// deepDirs returns n nested directories called d, as printed by show.
func deepDirs(n int) string {
	var all []string
	for i := 1; i <= n; i++ {
		all = append(all, strings.Repeat("d/", i))
	}
	return strings.Join(all, " ")
}
