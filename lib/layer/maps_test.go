// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// oldMore returns an extension block of an old GNU sparse header: up to 21 pairs
// of offset and length, and whether another block follows.
func oldMore(again byte, pairs ...int64) []byte {
	block := make([]byte, 512)
	for i, v := range pairs {
		copy(block[12*i:], fmt.Sprintf("%011o\x00", v))
	}
	block[504] = again
	return block
}

// before inserts blocks between the header and the data of an entry.
func before(entry []byte, blocks ...[]byte) []byte {
	all := append([]byte(nil), entry[:512]...)
	for _, b := range blocks {
		all = append(all, b...)
	}
	return append(all, entry[512:]...)
}

// oldGNU returns a file s in the old GNU sparse format.
func oldGNU(data string, again byte, size int64, pairs ...int64) []byte {
	return tartest.Entry{Name: "s", Type: 'S', Data: data, Poke: func(h []byte) {
		tartest.OldSparse(size, pairs...)(h)
		h[482] = again
	}}.Bytes()
}

// pairs returns a map of stretches of one byte, each followed by a hole of one
// byte.
func pairs(from, to int64) (all []int64) {
	for i := from; i < to; i++ {
		all = append(all, 2*i, 1)
	}
	return all
}

func showDots(n int) string { return "s:" + strings.Repeat(`.\000`, n) }

func TestOldSparseMaps(t *testing.T) {
	all := func(n int) string { return strings.Repeat(".", n) }
	check(t, []rule{{
		name:   "Contents: old GNU: a hole at the start and the end (GNU tar manual, Old GNU Format)",
		layers: layers(pack(oldGNU("ab", 0, 6, 1, 1, 3, 1))),
		want:   `s:\000a\000b\000\000`,
	}, {
		name:   "Contents: old GNU: an empty stretch at the end, as GNU tar writes it",
		layers: layers(pack(oldGNU("a", 0, 5, 1, 1, 5, 0), file("t", "1"))),
		want:   `s:\000a\000\000\000 t:1`,
	}, {
		name:   "Contents: old GNU: only a hole (Go gnu-nil-sparse-hole.tar)",
		layers: layers(pack(oldGNU("", 0, 3, 3, 0), file("t", "1"))),
		want:   `s:\000\000\000 t:1`,
	}, {
		name:   "Contents: old GNU: no map at all",
		layers: layers(pack(oldGNU("", 0, 3), file("t", "1"))),
		want:   `s:\000\000\000 t:1`,
	}, {
		name:   "Contents: old GNU: no hole (Go gnu-nil-sparse-data.tar)",
		layers: layers(pack(oldGNU("abc", 0, 3, 0, 3), file("t", "1"))),
		want:   `s:abc t:1`,
	}, {
		name:   "Contents: old GNU: an empty file",
		layers: layers(pack(oldGNU("", 0, 0), file("t", "1"))),
		want:   `s: t:1`,
	}, {
		name:   "Contents: old GNU: five stretches, one extension block",
		layers: layers(pack(before(oldGNU(all(5), 1, 10, pairs(0, 4)...), oldMore(0, pairs(4, 5)...)), file("t", "1"))),
		want:   showDots(5) + " t:1",
	}, {
		name:   "Contents: old GNU: thirty stretches, two extension blocks",
		layers: layers(pack(before(oldGNU(all(30), 1, 60, pairs(0, 4)...), oldMore(1, pairs(4, 25)...), oldMore(0, pairs(25, 30)...)), file("t", "1"))),
		want:   showDots(30) + " t:1",
	}, {
		name:   "Contents: old GNU: with a long name",
		layers: layers(pack(long('L', "long\x00"), oldGNU("a", 0, 2, 1, 1))),
		want:   `long:\000a`,
	}, {
		name:   "Contents: old GNU: a sparse whiteout",
		layers: layers(pack(file("x", "")), pack(tartest.Entry{Name: ".wh.x", Type: 'S', Data: "a", Poke: tartest.OldSparse(2, 1, 1)}.Bytes(), file("t", "1"))),
		want:   "t:1",
	}, {
		name: "Contents: old GNU: truncated inside an extension block", err: "layer 1",
		layers: layers(before(oldGNU("", 1, 8, pairs(0, 4)...), oldMore(0)[:100])),
	}, {
		name: "Contents: old GNU: truncated before an extension block", err: "layer 1",
		layers: layers(oldGNU("", 1, 8, pairs(0, 4)...)),
	}, {
		name: "Contents: old GNU: truncated inside the data", err: "layer 1",
		layers: layers(oldGNU(strings.Repeat("a", 600), 0, 800, 100, 600)[:900]),
	}, {
		name: "Contents: old GNU: overlapping stretches", err: "layer 1",
		layers: layers(pack(oldGNU("aabb", 0, 8, 0, 2, 1, 2))),
	}, {
		name: "Contents: old GNU: stretches out of order", err: "layer 1",
		layers: layers(pack(oldGNU("ab", 0, 8, 5, 1, 0, 1))),
	}, {
		name: "Contents: old GNU: a stretch beyond the file", err: "layer 1",
		layers: layers(pack(oldGNU("abcd", 0, 10, 8, 4))),
	}, {
		name: "Contents: old GNU: a stretch whose end is beyond 64 bits", err: "layer 1",
		layers: layers(pack(tartest.Entry{Name: "s", Type: 'S', Data: "a", Poke: func(h []byte) {
			tartest.OldSparse(10)(h)
			copy(h[386:], tartest.Base256(12, 1<<63-1)+tartest.Base256(12, 1<<63-1))
		}}.Bytes())),
	}, {
		name: "Contents: old GNU: less data than in the map", err: "layer 1",
		layers: layers(pack(oldGNU("a", 0, 10, 0, 3), file("t", "1"))),
	}, {
		name: "Contents: old GNU: more data than in the map", err: "layer 1",
		layers: layers(pack(oldGNU("abc", 0, 10, 0, 1), file("t", "1"))),
	}, {
		name: "Contents: old GNU: a map that is not a number", err: "layer 1",
		layers: layers(pack(tartest.Entry{Name: "s", Type: 'S', Poke: func(h []byte) { tartest.OldSparse(10)(h); copy(h[386:], "begin") }}.Bytes())),
	}, {
		name: "Contents: MaxSize limits sparse files, holes included", err: "image too large",
		layers: layers(pack(tartest.Entry{Name: "s", Type: 'S', Data: "a", Poke: func(h []byte) {
			tartest.OldSparse(0, 0, 1)(h)
			copy(h[483:], tartest.Base256(12, 1<<40+1))
		}}.Bytes())),
	}})
}

// sparse1 returns a file in pax sparse format 1.0, with the map before the data.
func sparse1(size, sparseMap, data string) []byte {
	sparseMap += strings.Repeat("\x00", -len(sparseMap)&511)
	return append(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "s", "GNU.sparse.realsize", size),
		tartest.Entry{Name: "./GNUSparseFile.7/s", Type: '0', Data: sparseMap + data}.Bytes()...)
}

// mapOf returns a map of format 1.0: the number of pairs and the pairs, one number
// per line.
func mapOf(pairs []int64) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d\n", len(pairs)/2)
	for _, v := range pairs {
		fmt.Fprintf(&text, "%d\n", v)
	}
	return text.String()
}

func TestPaxSparseMaps(t *testing.T) {
	zero1 := func(data string, records ...string) []byte {
		return append(tartest.Pax(append([]string{"GNU.sparse.name", "s"}, records...)...), tartest.Entry{Name: "x", Type: '0', Data: data}.Bytes()...)
	}
	check(t, []rule{{
		name:   "Contents: pax 1.0: a map of several blocks (GNU tar manual, PAX Format, Version 1.0)",
		layers: layers(pack(sparse1("600", mapOf(pairs(0, 300)), strings.Repeat(".", 300)), file("t", "1"))),
		want:   showDots(300) + " t:1",
	}, {
		name:   "Contents: pax 1.0: only a hole (Go pax-nil-sparse-hole.tar)",
		layers: layers(pack(sparse1("3", "1\n3\n0\n", ""), sparse1("3", "0\n", ""), file("t", "1"))),
		want:   `s:\000\000\000 t:1`,
	}, {
		name:   "Contents: pax 1.0: no hole (Go pax-nil-sparse-data.tar)",
		layers: layers(pack(sparse1("3", "1\n0\n3\n", "abc"), file("t", "1"))),
		want:   `s:abc t:1`,
	}, {
		name: "Contents: pax 1.0: a map that does not end", err: "layer 1",
		layers: layers(pack(sparse1("3", "2\n0\n1\n", "abc"))),
	}, {
		name: "Contents: pax 1.0: a map without a newline", err: "layer 1",
		layers: layers(pack(sparse1("3", "1", ""))),
	}, {
		name: "Contents: pax 1.0: a negative offset", err: "layer 1",
		layers: layers(pack(sparse1("3", "1\n-1\n1\n", "a"))),
	}, {
		name: "Contents: pax 1.0: a map of -1 pairs", err: "layer 1",
		layers: layers(pack(sparse1("3", "-1\n", "a"))),
	}, {
		name: "Contents: pax 1.0: no map, no data", err: "layer 1",
		layers: layers(pack(append(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "3"), tartest.Entry{Name: "s", Type: '0'}.Bytes()...))),
	}, {
		name: "Contents: pax 1.0: a size below 0", err: "layer 1", layers: layers(pack(sparse1("-3", "0\n", ""))),
	}, {
		name: "Contents: pax 1.0: a size that is no number", err: "layer 1", layers: layers(pack(sparse1("three", "0\n", ""))),
	}, {
		name: "Contents: pax 1.0: more data than in the map", err: "layer 1",
		layers: layers(pack(sparse1("9", "1\n0\n1\n", "abc"))),
	}, {
		name: "Contents: pax 1.0: less data than in the map", err: "layer 1",
		layers: layers(pack(sparse1("9", "1\n0\n5\n", "abc"))),
	}, {
		name:   "Contents: pax 0.1: a hole in front and one at the end (GNU tar manual, PAX Format, Versions 0.0 and 0.1)",
		layers: layers(pack(zero1("a", "GNU.sparse.size", "4", "GNU.sparse.numblocks", "2", "GNU.sparse.map", "1,1,4,0"), file("t", "1"))),
		want:   `s:\000a\000\000 t:1`,
	}, {
		name: "Contents: pax 0.1: half a pair", err: "layer 1",
		layers: layers(pack(zero1("a", "GNU.sparse.size", "4", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "1"))),
	}, {
		name: "Contents: pax 0.1: a map that is not numbers", err: "layer 1",
		layers: layers(pack(zero1("a", "GNU.sparse.size", "4", "GNU.sparse.numblocks", "1", "GNU.sparse.map", "a,b"))),
	}, {
		name: "Contents: pax 0.0: two offsets, one length", err: "layer 1",
		layers: layers(pack(zero1("a", "GNU.sparse.size", "4", "GNU.sparse.numblocks", "1", "GNU.sparse.offset", "1", "GNU.sparse.offset", "2", "GNU.sparse.numbytes", "1"))),
	}, {
		name: "Contents: pax 0.0: a length first", err: "layer 1",
		layers: layers(pack(zero1("a", "GNU.sparse.size", "4", "GNU.sparse.numblocks", "1", "GNU.sparse.numbytes", "1", "GNU.sparse.offset", "1"))),
	}})
}
