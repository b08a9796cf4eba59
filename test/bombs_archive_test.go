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

// bombs are small layers that unpack to something huge.
var bombs = []bomb{
	// Sizes without the bytes.
	{name: "a file of 8 EiB, base 256", blob: claims(tartest.Entry{Name: "f", Type: '0', Size: tartest.Base256(12, math.MaxInt64)}),
		words: []string{"image too large"}},
	{name: "a file of 8 EiB within the limit", blob: claims(tartest.Entry{Name: "f", Type: '0', Size: tartest.Base256(12, math.MaxInt64)}),
		words: []string{"unexpected EOF"}, flags: []string{"--max-size", fmt.Sprint(math.MaxInt64)}},
	{name: "a file of 8 EiB, pax", blob: records("size", fmt.Sprint(math.MaxInt64)), words: []string{"image too large"}},
	{name: "a file past 64 bits, pax", blob: records("size", "18446744073709551616"), words: []string{"size"}},
	{name: "a sparse file of 8 EiB", blob: records("GNU.sparse.size", fmt.Sprint(math.MaxInt64), "GNU.sparse.map", "0,1"),
		words: []string{"image too large"}},
	{name: "a hard link with 8 EiB", blob: claims(tartest.Entry{Name: "l", Link: "f", Type: '1', Size: tartest.Base256(12, math.MaxInt64), Data: "more"}),
		words: []string{"image too large"}},

	// Extended headers, with and without their bytes.
	{name: "pax records of 4 GiB", blob: claims(extendedHeader('x', 4<<30)), words: []string{"extended header"}},
	{name: "a pax record of 4 GiB", blob: claims(tartest.Entry{Type: 'x', Data: "4294967296 path=a\n"}), words: []string{"pax record"}},
	{name: "pax records of 4 GiB that follow", blob: stream(extendedHeader('x', 4<<30).Bytes(), zeros(256), 4<<10), words: []string{"extended header"}},
	{name: "a long name of 4 GiB", blob: stream(extendedHeader('L', 4<<30).Bytes(), zeros(256), 4<<10), words: []string{"extended header"}},
	{name: "a long link of 4 GiB", blob: claims(extendedHeader('K', 4<<30)), words: []string{"extended header"}},
	{name: "global records of 4 GiB", blob: claims(extendedHeader('g', 4<<30)), words: []string{"extended header"}},
	{name: "global headers without end", blob: stream(nil, repeat(tartest.Global(), 1<<11), 10<<10), words: []string{"too many entries"}},
	{name: "global records without end", blob: stream(nil, string(tartest.Global("comment", strings.Repeat("c", 1<<20))), 10<<10),
		words: []string{"names and attributes"}},
	{name: "a million extended headers", blob: stream(nil, repeat(tartest.Pax("comment", "c"), 1<<10), 1<<10), words: []string{"extended headers"}},
	{name: "empty extended headers without end", blob: stream(nil, repeat(tartest.Pax(), 1<<11), 10<<10), words: []string{"extended headers"}},
	{name: "empty long names without end", blob: stream(nil, repeat(extendedHeader('L', 0).Bytes(), 1<<11), 10<<10), words: []string{"extended headers"}},

	// Sparse maps.
	{name: "a map of 2^40 ranges", blob: sparse10("1099511627776\n"), words: []string{"map"}},
	{name: "a map of 2^40 ranges in a file of 2^43 bytes", blob: stream(sparseHeader(1<<43), "1099511627776\n"+strings.Repeat("0\n0\n", 1<<18), 1<<10),
		words: []string{"map"}, flags: []string{"--max-size", "17592186044416"}},
	{name: "a map of 2^20+1 ranges, 1.0", blob: sparse10(fmt.Sprintln(1<<20+1) + strings.Repeat("0\n0\n", 1<<20+1)), words: []string{"map"}},
	{name: "a map of 2^20+1 ranges, 0.1", blob: records("GNU.sparse.size", "1", "GNU.sparse.map", strings.Repeat("0,0,", 1<<20)+"0,0"), words: []string{"extended header"}},
	{name: "an old-format map without end", blob: stream(oldSparse(), repeat(mapBlock(1), 1<<11), 10<<10), words: []string{"map"}},
	{name: "an old-format map of empty ranges without end", blob: stream(oldSparse(), repeat(mapBlock(0), 1<<11), 10<<10), words: []string{"map"}},

	// Contents.
	{name: "10 GiB of zeros in a file", blob: stream(tartest.Entry{Name: "f", Type: '0', Size: tartest.Octal(10 << 30)}.Bytes(), zeros(256), 10<<10),
		words: []string{"image too large"}, flags: oneGiB},
	{name: "10 GiB of zeros in files", blob: stream(nil, zeroFile(64<<20), 160), words: []string{"image too large"}, flags: oneGiB},
	{name: "10 GiB in a hard link", blob: stream(tartest.Entry{Name: "l", Link: "f", Type: '1', Size: tartest.Base256(12, 10<<30)}.Bytes(), ones(256), 10<<10),
		words: []string{"image too large"}, flags: oneGiB},
	{name: "10 GiB of zeros after the end of the archive", blob: stream(nil, zeros(256), 10<<10), words: []string{"image too large"}, flags: oneGiB},
	{name: "a window of 2 GiB", blob: zstdFrame("\x00\xa8"), words: []string{"window"}},
	{name: "a window of 2 GiB, by the size of a single segment", blob: zstdFrame("\xa0\x00\x00\x00\x80"), words: []string{"size"}},

	// Entries and names.
	{name: "10 million entries", blob: stream(nil, emptyFiles(10_000), 1_000), words: []string{"too many entries"}, memory: 2_000_000 >> 10},
	{name: "names of many components", blob: stream(nil, deepFile("f"), 10<<10), words: []string{"names and attributes"}, memory: 2*512 + bombMemory},
	{name: "whiteouts of many components", blob: stream(nil, deepFile(".wh.f"), 10<<10), words: []string{"names and attributes"}, memory: 2*512 + bombMemory},
	{name: "a thousand implied parents per entry", blob: impliedParents, words: []string{"too many entries"}, memory: 2_000_000 >> 10},
	{name: "a chain of symlinks, each through the next twice", blob: throughChain(doubling, "l30/"), words: []string{"too many symlinks"}},
	{name: "symlinks with many components", blob: throughChain(winding, strings.Repeat("w/", 40)), words: []string{"too many symlink steps"}},
}

var oneGiB = []string{"--max-size", "1073741824"}

// claims is an archive that ends after one entry, whatever size it claims.
func claims(e tartest.Entry) func() []byte { return e.Bytes }

// extendedHeader is an extended header that claims a size and has no content.
func extendedHeader(flag byte, size int64) tartest.Entry {
	return tartest.Entry{Name: "h", Type: flag, Size: tartest.Base256(12, size)}
}

// records is an archive of a file with pax records.
func records(keysAndValues ...string) func() []byte {
	return func() []byte {
		return tartest.Archive(tartest.Pax(keysAndValues...), tartest.Entry{Name: "f", Type: '0', Data: "x"}.Bytes())
	}
}

// stream is the gzip of a beginning and of a piece repeated times times. A
// member holds about a megabyte and is repeated, which costs the test little.
func stream(beginning []byte, piece string, times int) func() []byte {
	return func() []byte {
		// Smaller members would make most of the stream gzip headers, which
		// are slow.
		perMember := max(1, min(times, 1<<20/len(piece)))
		member := compressed(bytes.Repeat([]byte(piece), perMember))
		return append(compressed(beginning), bytes.Repeat(member, times/perMember)...)
	}
}

func compressed(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data) // a bytes.Buffer cannot fail
	w.Close()
	return b.Bytes()
}

func repeat(b []byte, times int) string { return string(bytes.Repeat(b, times)) }

// sparseHeader is the header of a sparse file, GNU format 1.0, with the stored
// size given, map included.
func sparseHeader(stored int64) []byte {
	return append(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "1", "size", fmt.Sprint(stored)),
		tartest.Entry{Name: "f", Type: '0', Size: tartest.Octal(0)}.Bytes()...)
}

// sparse10 is an archive of a sparse file, GNU format 1.0, without data.
func sparse10(text string) func() []byte {
	return func() []byte {
		return tartest.Archive(
			tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "1"),
			tartest.Entry{Name: "f", Type: '0', Data: text + strings.Repeat("\x00", -len(text)&511)}.Bytes())
	}
}

// oldSparse is the header of a sparse file in GNU tar's old format, to be
// continued by an extended header.
func oldSparse() []byte {
	return tartest.Entry{Name: "f", Type: 'S', Poke: func(h []byte) {
		tartest.OldSparse(1 << 40)(h)
		h[482] = 1
	}}.Bytes()
}

// mapBlock is an extended sparse header of that format with ranges of the
// length given, to be continued by another.
func mapBlock(length int64) []byte {
	b := make([]byte, 512)
	copy(b, strings.Repeat(tartest.Octal(0)+tartest.Octal(length), 21))
	b[504] = 1
	return b
}

func zeroFile(size int64) string {
	return string(tartest.Entry{Name: "f", Type: '0', Data: string(make([]byte, size))}.Bytes())
}

// zstdFrame is a zstd frame of one empty block with a header given (RFC 8878,
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

// deepFile is a file with a path of 64 KiB in as many directories as fit.
func deepFile(last string) string {
	return string(append(tartest.Pax("path", strings.Repeat("d/", 32<<10-4)+last), tartest.Entry{Type: '0'}.Bytes()...))
}

// impliedParents is an archive of files with a thousand parent directories
// each, none of them listed.
func impliedParents() []byte {
	var all []byte
	for i := range 3000 {
		name := fmt.Sprint(i, "/", strings.Repeat("d/", 998), "f")
		all = append(append(all, tartest.Pax("path", name)...), tartest.Entry{Type: '0'}.Bytes()...)
	}
	return tartest.Archive(all)
}

// throughChain is an archive of symlinks and of many files through them.
func throughChain(links func() []byte, front string) func() []byte {
	return func() []byte {
		file := tartest.Entry{Name: front + "f", Type: '0'}.Bytes()
		return tartest.Archive(links(), bytes.Repeat(file, 100_000))
	}
}

// doubling is a chain of symlinks, each through the previous one twice.
func doubling() []byte {
	all := tartest.Entry{Name: "l0", Link: ".", Type: '2'}.Bytes()
	for i := range 30 {
		all = append(all, tartest.Entry{Name: fmt.Sprint("l", i+1), Link: fmt.Sprintf("l%d/l%d", i, i), Type: '2'}.Bytes()...)
	}
	return all
}

// winding is a symlink whose long target resolves to its own directory.
func winding() []byte {
	return append(tartest.Entry{Name: "d", Type: '5'}.Bytes(),
		append(tartest.Pax("linkpath", strings.Repeat("d/../", 800)), tartest.Entry{Name: "w", Type: '2'}.Bytes()...)...)
}
