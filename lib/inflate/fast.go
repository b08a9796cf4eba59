// SPDX-License-Identifier: Apache-2.0

package inflate

import "encoding/binary"

// load returns 8 bytes of the buffer.
func load(buf *inputBuffer, at uint) uint64 {
	at &= inputSize - 1
	return binary.LittleEndian.Uint64(buf[at : at+8])
}

// fastInput is the maximum number of input bytes that an iteration of the fast
// loop reads: it loads a word for a length and sometimes one for its distance.
const fastInput = 24

// fast decodes symbols until the block ends, or input or room may not suffice for
// another iteration. It reports whether the block has ended. The technique is
// that of libdeflate, by Eric Biggers:
//
//   - A single load of 8 bytes fills the word without a branch. If the word has
//     count bits, at most 63, (63-count)/8 more whole bytes fit, which makes the
//     count 56 to 63, that is, count|56. The load also sets bits of the following
//     byte above the count; the next load sets the same bits again.
//   - Only the low six bits of count are used in the loop, so that a whole entry
//     can be subtracted, and 63-count is ^count.
//   - One load is enough for up to two literals and a length.
//   - The next entry is looked up before the current one is processed.
//
// Every index is masked to the size of an array, so that the compiler omits
// bounds checks, which TestBounds verifies. It is one function because a call in
// the loop would move its variables to memory.
func (d *decoder) fast() (ended bool, err error) {
	in, buf := d.in.buf, d.buf
	literals, distances := &d.coded.literals, &d.coded.distances
	word, count, pos, out := d.in.word, d.in.count, d.in.pos, d.out
	lastPos, floor := d.in.end-fastInput, d.floor
	what := ""

	word |= load(in, pos) << (count & 63)
	pos += uint(^count&63) >> 3
	count |= 56
	e := literals[word&(1<<literalBits-1)]
	for pos <= lastPos && out <= lastFast {
		before := word
		word >>= e & takesMask
		count -= uint64(e)
		if e&flagLiteral != 0 {
			buf.b[out&(bufferSize-1)] = byte(e >> valueShift)
			out++
			e = literals[word&(1<<literalBits-1)]
			before = word
			word >>= e & takesMask
			count -= uint64(e)
			if e&flagLiteral != 0 {
				buf.b[out&(bufferSize-1)] = byte(e >> valueShift)
				out++
				e = literals[word&(1<<literalBits-1)]
				before = word
				word >>= e & takesMask
				count -= uint64(e)
				if e&flagLiteral != 0 {
					buf.b[out&(bufferSize-1)] = byte(e >> valueShift)
					out++
					e = literals[word&(1<<literalBits-1)]
					word |= load(in, pos) << (count & 63)
					pos += uint(^count&63) >> 3
					count |= 56
					continue
				}
			}
		}
		if e&flagSpecial != 0 {
			if e&flagPointer != 0 {
				e = literals[(uint64(e>>valueShift)+word&(1<<(e>>codeShift&codeMask)-1))&(literalSize-1)]
				before = word
				word >>= e & takesMask
				count -= uint64(e)
			}
			if e&flagLiteral != 0 {
				buf.b[out&(bufferSize-1)] = byte(e >> valueShift)
				out++
				e = literals[word&(1<<literalBits-1)]
				word |= load(in, pos) << (count & 63)
				pos += uint(^count&63) >> 3
				count |= 56
				continue
			}
			if e&flagSpecial != 0 {
				if ended = e&flagEnd != 0; !ended {
					what = "invalid literal/length symbol"
				}
				break
			}
		}
		length := int(e>>valueShift) + int(before&(1<<(e&takesMask)-1)>>(e>>codeShift&codeMask))
		// A distance takes at most 28 bits, the next lookup 11.
		if count&63 < 28+literalBits {
			word |= load(in, pos) << (count & 63)
			pos += uint(^count&63) >> 3
			count |= 56
		}
		e = distances[word&(1<<distanceBits-1)]
		if e&flagPointer != 0 {
			word >>= distanceBits
			count -= distanceBits
			e = distances[(uint64(e>>valueShift)+word&(1<<(e>>codeShift&codeMask)-1))&(distanceSize-1)]
		}
		if e&flagSpecial != 0 {
			what = "invalid distance symbol"
			break
		}
		distance := int(e>>valueShift) + int(word&(1<<(e&takesMask)-1)>>(e>>codeShift&codeMask))
		word >>= e & takesMask
		count -= uint64(e)
		if distance > out-floor {
			what = "distance too far back"
			break
		}
		e = literals[word&(1<<literalBits-1)]
		word |= load(in, pos) << (count & 63)
		pos += uint(^count&63) >> 3
		count |= 56
		// The copies may write up to overrun bytes past the match.
		from, end := out-distance, out+length
		switch {
		case distance >= 16:
			buf.copy16(out, from)
			buf.copy16(out+16, from+16)
			for out += 32; out < end; out += 16 {
				buf.copy16(out, out-distance)
			}
		case distance >= 8:
			for ; out < end; out += 8 {
				buf.copy8(out, out-distance)
			}
		case distance == 1:
			v := uint64(buf.b[from&(bufferSize-1)])
			for ; out < end; out += 8 {
				buf.set8(out, v)
			}
		default: // each step extends the repeated pattern by one distance
			for ; out < end; out += distance {
				buf.copy8(out, out-distance)
			}
		}
		out = end
	}
	d.in.word, d.in.count, d.in.pos, d.out = word&(1<<(count&63)-1), count&63, pos, out
	if what != "" {
		return false, d.corrupt(what)
	}
	if ended {
		d.endBlock()
	}
	return ended, nil
}
