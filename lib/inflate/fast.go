// SPDX-License-Identifier: Apache-2.0

package inflate

import "encoding/binary"

// load returns the 8 bytes of the buffer from one on.
func load(buf *inputBuffer, at uint) uint64 {
	at &= inputSize - 1
	return binary.LittleEndian.Uint64(buf[at : at+8])
}

// fastInput is how many bytes of input a turn of the fast loop may look at: a
// word is loaded before a length and, at times, before its distance.
const fastInput = 24

// fast decodes symbols until its block has ended, or there may be no input or no
// room for another one. The technique is libdeflate's, by Eric Biggers:
//
//   - The word is filled up by one load of 8 bytes and without a branch. With
//     count bits in it, 63 at most, (63-count)/8 more bytes fit whole, which makes
//     the count one of 56 to 63: count|56. The load puts bits of the byte after
//     them above the count; the next one puts the same bits there again.
//   - Only the low six bits of count mean something in the loop: so a whole entry
//     can be subtracted, and 63-count is ^count.
//   - Up to two literals are decoded before a length, all of one load.
//   - An entry is looked up before what precedes it is finished with.
//
// Every index is masked to the size of an array, so that the compiler has no
// bounds to check. TestBounds keeps it so. It is one function, as a call in the
// loop would put its variables into memory.
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
		// The distance takes 28 bits at most, and the next lookup 11.
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
		// Up to overrun bytes behind the match are overwritten.
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
		default: // each step repeats what is there already, a distance more
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
