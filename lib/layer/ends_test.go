// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// Where an archive may end and where it may not.
func TestLastBytes(t *testing.T) {
	a, zero := file("a", "12345"), make([]byte, 512)
	join := func(parts ...[]byte) [][]byte { return layers(bytes.Join(parts, nil)) }
	linked := append(append(file("a", "1"), tartest.Pax("comment", "")...), tartest.Entry{Name: "b", Link: "a", Type: '1', Data: strings.Repeat("d", 600)}.Bytes()...)
	check(t, []rule{{
		name: "Contents: no padding after the last file", layers: join(a[:512+5]), want: "a:12345",
	}, {
		name: "Contents: partial padding after the last file", layers: join(a[:512+300]), want: "a:12345",
	}, {
		name: "Contents: partial padding after a large file", layers: join(file("a", strings.Repeat("1", 300<<10+1))[:512+300<<10+1]),
		want: "a:" + strings.Repeat("1", 300<<10+1),
	}, {
		name: "Contents: the end after a file that needs no padding", layers: join(file("a", strings.Repeat("1", 512))), want: "a:" + strings.Repeat("1", 512),
	}, {
		name: "Contents: zeros up to a whole record (GNU tar manual, Blocking)", layers: join(a, make([]byte, 10240-len(a))), want: "a:12345",
	}, {
		name: "Contents: more zeros than that, with a partial block", layers: join(a, make([]byte, 100<<10+7)), want: "a:12345",
	}, {
		name: "Contents: a lone zero block and then an entry", layers: join(a, zero, pack(file("b", "1"))), err: "layer 1",
	}, {
		name: "Contents: a lone zero block and then anything else", layers: join(a, zero, []byte(strings.Repeat("garbage ", 64))), err: "layer 1",
	}, {
		name: "Contents: data after the end is ignored", layers: join(a, zero, zero, pack(file("b", "1"))), want: "a:12345",
	}, {
		name: "Contents: truncated a byte before the end of a file", layers: join(a[:512+4]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated a byte before the end of a large file", layers: join(file("a", strings.Repeat("1", 1<<20))[:512+1<<20-1]), err: "unexpected EOF",
	}, {
		name: "Contents: truncated after the header of an extended header", layers: join(tartest.Pax("path", "x")[:512]), err: "EOF",
	}, {
		name: "Contents: truncated before the padding of an extended header", layers: join(tartest.Pax("path", "x")[:512+10]), err: "EOF",
	}, {
		name: "Contents: truncated inside a global header", layers: join(a, tartest.Global("comment", "x")[:512+10]), err: "EOF",
	}, {
		name: "Contents: truncated inside the data of a hard link", layers: join(linked[:len(linked)-600]), err: "layer 1",
	}, {
		name: "Contents: truncated inside the header after an entry", layers: join(a, a[:511]), err: "unexpected EOF",
	}, {
		name: "Contents: one byte after an entry", layers: join(a, a[:1]), err: "unexpected EOF",
	}, {
		name: "Contents: a wrong checksum after a skipped file", err: "layer 1",
		layers: join(file(".wh.a", "12345"), tartest.Entry{Name: "b", Type: '0', Damage: true}.Bytes()),
	}, {
		name: "Contents: a size that is a block too small: no header follows", err: "layer 1",
		layers: join(pack(tartest.Entry{Name: "a", Type: '0', Size: "00000000001\x00", Data: strings.Repeat("1", 600)}.Bytes())),
	}, {
		name: "Contents: a size that is a block too large: the end is inside the file", err: "unexpected EOF",
		layers: join(tartest.Entry{Name: "a", Type: '0', Size: "00000002000\x00", Data: "1"}.Bytes()),
	}})
}

// A size in an archive costs memory only for the bytes that follow.
func TestLiesCostNothing(t *testing.T) {
	for name, archive := range map[string][]byte{
		"a header that claims 8 EiB":    pack(tartest.Entry{Name: "a", Type: '0', Size: tartest.Base256(12, 1<<63-1)}.Bytes()),
		"a pax size of 8 EiB":           pack(tartest.Pax("size", "9223372036854775807"), file("a", "")),
		"a header that claims 1 TiB":    pack(tartest.Entry{Name: "a", Type: '0', Size: tartest.Base256(12, 1<<40)}.Bytes()),
		"a pax record of 4 GiB":         pack(tartest.Entry{Name: "p", Type: 'x', Size: "40000000000\x00", Data: "4294967296 path=x"}.Bytes()),
		"a global header of 4 GiB":      pack(tartest.Entry{Name: "p", Type: 'g', Size: "40000000000\x00", Data: "4294967296 path=x"}.Bytes()),
		"a GNU long name of 4 GiB":      pack(long('L', "x"), tartest.Entry{Name: "p", Type: 'L', Size: "40000000000\x00", Data: "x"}.Bytes()),
		"a sparse map of 2^40 entries":  pack(sparse1("1", "1099511627776\n0\n1\n", "")),
		"a sparse map of 2^62 entries":  pack(sparse1("1", "4611686018427387904\n0\n1\n", "")),
		"a sparse map of 0.1 of 2^40":   pack(tartest.Pax("GNU.sparse.size", "1", "GNU.sparse.numblocks", "1099511627776", "GNU.sparse.map", "0,1"), file("a", "")),
		"old GNU's map without its end": before(oldGNU("", 1, 8, pairs(0, 4)...), oldMore(1, pairs(4, 25)...)),
		"a hard link that claims 4 GiB": append(file("a", ""), tartest.Entry{Name: "b", Link: "a", Type: '1', Size: "40000000000\x00", Data: "x"}.Bytes()...),
	} {
		image := newImage(t)
		var from, to runtime.MemStats
		runtime.ReadMemStats(&from)
		err := image.apply(archive)
		runtime.ReadMemStats(&to)
		if err == nil {
			t.Errorf("Contents: %s: no error, but %s", name, image.show())
		}
		if cost := to.TotalAlloc - from.TotalAlloc; cost > 8<<20 {
			t.Errorf("Contents: %s: cost %d bytes of memory", name, cost)
		}
	}
}
