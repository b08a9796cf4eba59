// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"strings"

	"banger/lib/tar/tartest"
)

// bombs are layers that would be much larger than they are.
var bombs = []bomb{
	// Sizes that no bytes follow.
	{name: "a file of 8 EiB, base 256", blob: claims(tartest.Entry{Name: "f", Type: '0', Size: tartest.Base256(12, math.MaxInt64)}),
		words: []string{"max-size"}},
	{name: "a file of 8 EiB, and nothing against it", blob: claims(tartest.Entry{Name: "f", Type: '0', Size: tartest.Base256(12, math.MaxInt64)}),
		words: []string{"unexpected EOF"}, flags: []string{"--max-size", fmt.Sprint(math.MaxInt64)}},
	{name: "a file of 8 EiB, pax", blob: records("size", fmt.Sprint(math.MaxInt64)), words: []string{"max-size"}},
	{name: "a file past 64 bits, pax", blob: records("size", "18446744073709551616"), words: []string{"size"}},
	{name: "a sparse file of 8 EiB", blob: records("GNU.sparse.size", fmt.Sprint(math.MaxInt64), "GNU.sparse.map", "0,1"),
		words: []string{"max-size"}},
	{name: "a hard link with 8 EiB", blob: claims(tartest.Entry{Name: "l", Link: "f", Type: '1', Size: tartest.Base256(12, math.MaxInt64), Data: "more"}),
		words: []string{"max-size"}},

	// Extended headers, claimed and there.
	{name: "pax records of 4 GiB", blob: claims(extendedHeader('x', 4<<30)), words: []string{"extended header"}},
	{name: "a pax record of 4 GiB", blob: claims(tartest.Entry{Type: 'x', Data: "4294967296 path=a\n"}), words: []string{"pax record"}},
	{name: "pax records of 4 GiB, and they follow", blob: stream(extendedHeader('x', 4<<30).Bytes(), zeros(256), 4<<10), words: []string{"extended header"}},
	{name: "a long name of 4 GiB", blob: stream(extendedHeader('L', 4<<30).Bytes(), zeros(256), 4<<10), words: []string{"extended header"}},
	{name: "a long link of 4 GiB", blob: claims(extendedHeader('K', 4<<30)), words: []string{"extended header"}},
	{name: "global records of 4 GiB", blob: claims(extendedHeader('g', 4<<30)), words: []string{"extended header"}},
	{name: "global headers without end", blob: stream(nil, repeat(tartest.Global(), 1<<11), 10<<10), words: []string{"max-entries"}},
	{name: "global records without end", blob: stream(nil, string(tartest.Global("comment", strings.Repeat("c", 1<<20))), 10<<10),
		words: []string{"names and attributes"}},
	{name: "a million extended headers", blob: stream(nil, repeat(tartest.Pax("comment", "c"), 1<<10), 1<<10), words: []string{"extended headers"}},
	{name: "empty extended headers without end", blob: stream(nil, repeat(tartest.Pax(), 1<<11), 10<<10), words: []string{"extended headers"}},
	{name: "long names of nothing without end", blob: stream(nil, repeat(extendedHeader('L', 0).Bytes(), 1<<11), 10<<10), words: []string{"extended headers"}},

	// Maps of sparse files.
	{name: "a map of 2^40 stretches", blob: sparse10("1099511627776\n"), words: []string{"map"}},
	{name: "a map of 2^40 stretches in a file of 2^43 bytes", blob: stream(sparseHeader(1<<43), "1099511627776\n"+strings.Repeat("0\n0\n", 1<<18), 1<<10),
		words: []string{"map"}, flags: []string{"--max-size", "17592186044416"}},
	{name: "a map of 2^20 stretches and one, 1.0", blob: sparse10(fmt.Sprintln(1<<20+1) + strings.Repeat("0\n0\n", 1<<20+1)), words: []string{"map"}},
	{name: "a map of 2^20 stretches and one, 0.1", blob: records("GNU.sparse.size", "1", "GNU.sparse.map", strings.Repeat("0,0,", 1<<20)+"0,0"), words: []string{"extended header"}},
	{name: "an old map without end", blob: stream(oldSparse(), repeat(mapBlock(1), 1<<11), 10<<10), words: []string{"map"}},
	{name: "an old map of nothing without end", blob: stream(oldSparse(), repeat(mapBlock(0), 1<<11), 10<<10), words: []string{"map"}},

	// Contents.
	{name: "10 GiB of zeros in a file", blob: stream(tartest.Entry{Name: "f", Type: '0', Size: tartest.Octal(10 << 30)}.Bytes(), zeros(256), 10<<10),
		words: []string{"max-size"}, flags: oneGiB},
	{name: "10 GiB of zeros in files", blob: stream(nil, zeroFile(64<<20), 160), words: []string{"max-size"}, flags: oneGiB},
	{name: "10 GiB in a hard link", blob: stream(tartest.Entry{Name: "l", Link: "f", Type: '1', Size: tartest.Base256(12, 10<<30)}.Bytes(), ones(256), 10<<10),
		words: []string{"max-size"}, flags: oneGiB},
	{name: "10 GiB of zeros after the end", blob: stream(nil, zeros(256), 10<<10), words: []string{"max-size"}, flags: oneGiB},
	{name: "a window of 2 GiB", blob: zstdFrame("\x00\xa8"), words: []string{"window"}},
	{name: "a window of 2 GiB, as the size of the one segment", blob: zstdFrame("\xa0\x00\x00\x00\x80"), words: []string{"size"}},

	// Entries and names.
	{name: "10 million entries", blob: stream(nil, emptyFiles(10_000), 1_000), words: []string{"max-entries"}, memory: 2_000_000 >> 10},
	{name: "names of many components", blob: stream(nil, deepName("f"), 10<<10), words: []string{"names and attributes"}, memory: 2*512 + bombMemory},
	{name: "whiteouts of many components", blob: stream(nil, deepName(".wh.f"), 10<<10), words: []string{"names and attributes"}, memory: 2*512 + bombMemory},
	{name: "a thousand parents each", blob: impliedParents, words: []string{"max-entries"}, memory: 2_000_000 >> 10},
	{name: "a chain of symlinks, each twice the next", blob: throughChain(doubling, "l30/"), words: []string{"symlinks on the way"}},
	{name: "symlinks of many steps", blob: throughChain(winding, strings.Repeat("w/", 40)), words: []string{"steps through symlinks"}},
}

var oneGiB = []string{"--max-size", "1073741824"}

// claims is an archive that ends after one entry.
func claims(e tartest.Entry) func() []byte { return e.Bytes }

// extendedHeader says how large it is, and has nothing of it.
func extendedHeader(flag byte, size int64) tartest.Entry {
	return tartest.Entry{Name: "h", Type: flag, Size: tartest.Base256(12, size)}
}

// records is an archive of a file and what pax says of it.
func records(keysAndValues ...string) func() []byte {
	return func() []byte {
		return tartest.Archive(tartest.Pax(keysAndValues...), tartest.Entry{Name: "f", Type: '0', Data: "x"}.Bytes())
	}
}

// stream is a gzip of a beginning and, as often as is said, a piece: a member
// each, so that it costs the test little.
func stream(beginning []byte, piece string, times int) func() []byte {
	return func() []byte {
		// A megabyte a member, at least: so many headers of gzip would be slow.
		perMember := max(1, min(times, 1<<20/len(piece)))
		member := compressed(bytes.Repeat([]byte(piece), perMember))
		return append(compressed(beginning), bytes.Repeat(member, times/perMember)...)
	}
}

func compressed(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data) // into memory: it cannot fail
	w.Close()
	return b.Bytes()
}

func repeat(b []byte, times int) string { return string(bytes.Repeat(b, times)) }

// sparseHeader is a file of GNU.sparse's version 1.0, of so many bytes, map
// included.
func sparseHeader(stored int64) []byte {
	return append(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "1", "size", fmt.Sprint(stored)),
		tartest.Entry{Name: "f", Type: '0', Size: tartest.Octal(0)}.Bytes()...)
}

// sparse10 is an archive of a file with a map of version 1.0 and no data.
func sparse10(text string) func() []byte {
	return func() []byte {
		return tartest.Archive(
			tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "1"),
			tartest.Entry{Name: "f", Type: '0', Data: text + strings.Repeat("\x00", -len(text)&511)}.Bytes())
	}
}

// oldSparse is GNU tar's own header of a sparse file whose map goes on.
func oldSparse() []byte {
	return tartest.Entry{Name: "f", Type: 'S', Poke: func(h []byte) {
		tartest.OldSparse(1 << 40)(h)
		h[482] = 1
	}}.Bytes()
}

// mapBlock goes on with such a map, by stretches of so many bytes, and says
// that it goes on further.
func mapBlock(stretch int64) []byte {
	b := make([]byte, 512)
	copy(b, strings.Repeat(tartest.Octal(0)+tartest.Octal(stretch), 21))
	b[504] = 1
	return b
}

func zeroFile(size int64) string {
	return string(tartest.Entry{Name: "f", Type: '0', Data: string(make([]byte, size))}.Bytes())
}

// zstdFrame is a frame of one empty block, with a header of one's own (RFC 8878,
// 3.1.1.1).
func zstdFrame(header string) func() []byte {
	return func() []byte { return []byte("\x28\xb5\x2f\xfd" + header + "\x01\x00\x00") }
}

func emptyFiles(n int) string {
	var b bytes.Buffer
	for i := range n {
		b.Write(tartest.Entry{Name: fmt.Sprint(i), Type: '0'}.Bytes())
	}
	return b.String()
}

// deepName is a file with a name of 64 KiB, as many directories deep as that
// has room for.
func deepName(last string) string {
	return string(append(tartest.Pax("path", strings.Repeat("d/", 32<<10-4)+last), tartest.Entry{Type: '0'}.Bytes()...))
}

// impliedParents is an archive of names that want a thousand directories each,
// of which it has none.
func impliedParents() []byte {
	var all []byte
	for i := range 3000 {
		name := fmt.Sprint(i, "/", strings.Repeat("d/", 998), "f")
		all = append(append(all, tartest.Pax("path", name)...), tartest.Entry{Type: '0'}.Bytes()...)
	}
	return tartest.Archive(all)
}

// throughChain is an archive of symlinks and of many files behind them.
func throughChain(links func() []byte, front string) func() []byte {
	return func() []byte {
		file := tartest.Entry{Name: front + "f", Type: '0'}.Bytes()
		return tartest.Archive(links(), bytes.Repeat(file, 100_000))
	}
}

// doubling are symlinks, each to the one before and, from there, again.
func doubling() []byte {
	all := tartest.Entry{Name: "l0", Link: ".", Type: '2'}.Bytes()
	for i := range 30 {
		all = append(all, tartest.Entry{Name: fmt.Sprint("l", i+1), Link: fmt.Sprintf("l%d/l%d", i, i), Type: '2'}.Bytes()...)
	}
	return all
}

// winding is a symlink that leads by a long way to where it is.
func winding() []byte {
	return append(tartest.Entry{Name: "d", Type: '5'}.Bytes(),
		append(tartest.Pax("linkpath", strings.Repeat("d/../", 800)), tartest.Entry{Name: "w", Type: '2'}.Bytes()...)...)
}
