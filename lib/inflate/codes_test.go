// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"bytes"
	"compress/flate"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestRandomCodes decodes blocks with codes that encoders do not make: of maximum
// depth, of one symbol, empty, and invalid. The result must be that of
// compress/flate.
func TestRandomCodes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	verdicts := map[bool]int{}
	streams := uint64(400)
	if testing.Short() {
		streams = 100
	}
	for n := range streams {
		r := rand.New(rand.NewPCG(seed, n))
		stream := coded(r)
		want, wantErr := io.ReadAll(flate.NewReader(bytes.NewReader(stream)))
		for _, piece := range []int{0, 40, 3} {
			got, err := decodeAll(&pieces{stream, piece})
			if common := min(len(got), len(want)); (err == nil) != (wantErr == nil) || !bytes.Equal(got[:common], want[:common]) {
				t.Fatalf("stream %d in pieces of %d: %d bytes, %v; compress/flate: %d bytes, %v", n, piece, len(got), err, len(want), wantErr)
			}
		}
		verdicts[wantErr == nil]++
	}
	if verdicts[true] < 5 || verdicts[false] < 5 {
		t.Errorf("%d valid streams, %d invalid", verdicts[true], verdicts[false])
	}
}

// coded returns a stream of blocks with random codes.
func coded(r *rand.Rand) []byte {
	w := &bitWriter{}
	for left, out := r.IntN(3), 0; left >= 0; left-- {
		literals := randomCode(r, 2+r.IntN(250), 257+r.IntN(30))
		if literals[256] == 0 { // a block needs an end-of-block code
			at := slices.IndexFunc(literals, func(n uint8) bool { return n > 0 })
			literals[256], literals[at] = literals[at], 0
		}
		var distances []uint8
		switch r.IntN(4) {
		case 0:
			distances = make([]uint8, 1+r.IntN(30))
		case 1:
			distances = make([]uint8, 1+r.IntN(30))
			distances[r.IntN(len(distances))] = 1
		default:
			distances = randomCode(r, 2+r.IntN(20), 22+r.IntN(9))
		}
		if r.IntN(8) == 0 {
			literals[r.IntN(len(literals))] = uint8(r.IntN(16))
		}
		w.codes(left == 0, literals, distances)
		out = w.body(r, literals, distances, out)
	}
	return w.raw
}

// randomCode returns the lengths of a complete code of some of the symbols, some
// of maximum length.
func randomCode(r *rand.Rand, symbols, all int) []uint8 {
	leaves := []uint8{1, 1}
	for len(leaves) < symbols {
		i := r.IntN(len(leaves))
		if r.IntN(3) > 0 {
			i = len(leaves) - 1 // split the last one again, for depth
		}
		if leaves[i] == maxCode {
			i = slices.IndexFunc(leaves, func(n uint8) bool { return n < maxCode })
		}
		leaves[i]++
		leaves = append(leaves, leaves[i])
	}
	lengths := make([]uint8, all)
	for i, at := range r.Perm(all)[:symbols] {
		lengths[at] = leaves[i]
	}
	return lengths
}

// A bitWriter writes the lowest bit of a byte first.
type bitWriter struct {
	raw  []byte
	used int // bits of the last byte
}

func (w *bitWriter) put(v uint64, n int) {
	for i := range n {
		if w.used%8 == 0 {
			w.raw, w.used = append(w.raw, 0), 0
		}
		w.raw[len(w.raw)-1] |= byte(v>>i&1) << w.used
		w.used++
	}
}

// codes writes the header of a block: every code length in four bits.
func (w *bitWriter) codes(final bool, literals, distances []uint8) {
	w.put(map[bool]uint64{true: 1}[final], 1)
	w.put(2, 2)
	w.put(uint64(len(literals)-257), 5)
	w.put(uint64(len(distances)-1), 5)
	w.put(uint64(len(lengthsOrder)-4), 4)
	for _, symbol := range lengthsOrder {
		w.put(map[bool]uint64{true: 4}[symbol < 16], 3)
	}
	for _, n := range slices.Concat(literals, distances) {
		w.symbol(slices.Repeat([]uint8{4}, 16), int(n))
	}
}

// symbol writes the code of a symbol (RFC 1951, 3.2.2).
func (w *bitWriter) symbol(lengths []uint8, symbol int) {
	code, n := 0, int(lengths[symbol])
	for s, length := range lengths {
		if length > 0 && int(length) <= n && (int(length) < n || s < symbol) {
			code += 1 << (n - int(length))
		}
	}
	if n > 0 {
		w.put(uint64(bits.Reverse16(uint16(code))>>(16-n)), n)
	}
}

// body writes symbols and the end of the block. It takes and returns the number of
// decoded bytes. Some matches reach too far back.
func (w *bitWriter) body(r *rand.Rand, literals, distances []uint8, out int) int {
	coded := func(lengths []uint8) (all []int) {
		for s, n := range lengths {
			if n > 0 && s != 256 {
				all = append(all, s)
			}
		}
		return all
	}
	first, second := coded(literals), coded(distances)
	for range r.IntN(2000) {
		if len(first) == 0 {
			break
		}
		s := first[r.IntN(len(first))]
		if s < 256 {
			w.symbol(literals, s)
			out++
			continue
		}
		if len(second) == 0 {
			continue
		}
		d := second[r.IntN(len(second))]
		if distanceMeaning[d].value() > out && r.IntN(300) > 0 {
			continue
		}
		w.symbol(literals, s)
		extra := r.Uint64() & (1<<literalMeaning[s].takes() - 1)
		w.put(extra, int(literalMeaning[s].takes()))
		w.symbol(distances, d)
		w.put(0, int(distanceMeaning[d].takes()))
		out += literalMeaning[s].value() + int(extra)
	}
	w.symbol(literals, 256)
	return out
}
