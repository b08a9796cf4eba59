// SPDX-License-Identifier: Apache-2.0

package ext4

// A bitmap is a block of bits, the lowest of a byte first.
type bitmap [blockSize]byte

func (b *bitmap) has(i int64) bool { return b[i/8]>>(i%8)&1 != 0 }

// set marks bits from one up to another.
func (b *bitmap) set(from, to int64) {
	for ; from < to && from%8 != 0; from++ {
		b[from/8] |= 1 << (from % 8)
	}
	for ; from+8 <= to; from += 8 {
		b[from/8] = 0xff
	}
	for ; from < to; from++ {
		b[from/8] |= 1 << (from % 8)
	}
}

// clear unmarks a bit.
func (b *bitmap) clear(i int64) { b[i/8] &^= 1 << (i % 8) }

// next returns the first bit from one up to another that is as asked for, or
// the end.
func (b *bitmap) next(from, to int64, marked bool) int64 {
	var skip byte // a byte without such a bit
	if !marked {
		skip = 0xff
	}
	for from < to && b.has(from) != marked {
		if from%8 == 0 && b[from/8] == skip {
			from += 8
		} else {
			from++
		}
	}
	return min(from, to)
}

// zeros counts the bits below an end that are not marked.
func (b *bitmap) zeros(end int64) (n int64) {
	for at := int64(0); at < end; {
		from := b.next(at, end, false)
		at = b.next(from, end, true)
		n += at - from
	}
	return n
}
