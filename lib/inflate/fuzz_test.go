// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"
)

// limit is the number of bytes of a stream that a fuzz target decodes.
const limit = 4 << 20

// FuzzDeflate decodes any input. The bytes and the verdict must be those of
// compress/flate. The input comes in pieces, so that it ends anywhere in each of
// the loops.
func FuzzDeflate(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(deflated(seed), uint16(seed*7))
	}
	for _, text := range awkward {
		raw, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint16(0))
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), limit))
		got, gotErr := decodeAll(&pieces{stream, int(piece)})
		if len(want) == limit || len(got) >= limit {
			want, got = want[:min(len(want), len(got))], got[:min(len(want), len(got))]
		} else if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("compress/flate: %v, inflate: %v", wantErr, gotErr)
		}
		if common := min(len(want), len(got)); !bytes.Equal(want[:common], got[:common]) || wantErr == nil && len(want) != len(got) {
			t.Fatalf("%d bytes differ from %d bytes of compress/flate", len(got), len(want))
		}
	})
}

// awkward returns streams at the limits of the format.
var awkward = []string{
	"", "00", "03", "0300", "010000ffff", "010100feff", "010100ffff", "06", "07", "4b04", "630000", "6300",
	"05c0010d00", "05c081000000000090ff6b04", "05e08100", "ed01", "edfd", "04c0", "0180ff7f",
	"1de8", "73040000", "4bcb06", "ffffffff", "000000ffff0300", "000000ffff000000ffff010000ffff",
}

// pieces is a reader that returns size bytes at a time, or all if size is 0.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(into []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	if p.size > 0 {
		into = into[:min(p.size, len(into))]
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// decodeAll decodes one deflate stream into two alternating buffers.
func decodeAll(src io.Reader) (all []byte, err error) {
	d := newDecoder(src)
	buffers := [2]*Buffer{new(Buffer), new(Buffer)}
	d.setBuffer(buffers[0])
	d.begin()
	for turn := 1; ; turn++ {
		err = d.decode()
		all = append(all, d.buf.b[window:d.out]...)
		if err != nil || d.state == atEnd || len(all) >= limit {
			return all, err
		}
		d.setBuffer(buffers[turn%2])
	}
}

// deflated returns a stream of compress/flate for a seed.
func deflated(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	content := material(r, r.IntN(1<<(4+r.IntN(14))))
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, r.IntN(12)-2)
	if err != nil {
		panic(err)
	}
	for len(content) > 0 {
		n := 1 + r.IntN(len(content))
		w.Write(content[:n])
		content = content[n:]
		if r.IntN(3) == 0 {
			w.Flush()
		}
	}
	w.Close()
	return b.Bytes()
}

// material returns content with few and many distinct literals, and with matches of
// all lengths and of short and long distances.
func material(r *rand.Rand, size int) []byte {
	content := make([]byte, 0, size+300)
	kinds := 1 + r.IntN(256)
	for len(content) < size {
		if len(content) == 0 || r.IntN(4) == 0 {
			for range 1 + r.IntN(40) {
				content = append(content, byte(r.IntN(kinds)))
			}
			continue
		}
		distance := 1 + r.IntN(min(len(content), 1<<(1+r.IntN(15))))
		for range 3 + r.IntN(256) {
			content = append(content, content[len(content)-distance])
		}
	}
	return content[:size]
}
