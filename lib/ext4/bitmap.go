// SPDX-License-Identifier: Apache-2.0

package ext4

// A bitmap is a block of bits, starting with the lowest bit of each byte.
type bitmap [blockSize]byte

func (b *bitmap) has(i int64) bool { return b[i/8]>>(i%8)&1 != 0 }

// set sets the bits in [from, to).
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

// clear clears a bit.
func (b *bitmap) clear(i int64) { b[i/8] &^= 1 << (i % 8) }

// next returns the first bit in [from, to) that is set, or clear if value is
// false. It returns to if there is none.
func (b *bitmap) next(from, to int64, value bool) int64 {
	var skip byte // a byte without such a bit
	if !value {
		skip = 0xff
	}
	for from < to && b.has(from) != value {
		if from%8 == 0 && b[from/8] == skip {
			from += 8
		} else {
			from++
		}
	}
	return min(from, to)
}

// countZeros returns the number of clear bits in [0, end).
func (b *bitmap) countZeros(end int64) (n int64) {
	for at := int64(0); at < end; {
		from := b.next(at, end, false)
		at = b.next(from, end, true)
		n += at - from
	}
	return n
}
