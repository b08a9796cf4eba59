// SPDX-License-Identifier: Apache-2.0

package inflate

import "encoding/binary"

const (
	window     = 32 << 10  // maximum distance of a match (RFC 1951, 2)
	bufferSize = 512 << 10 // must be a power of two
	maxMatch   = 258
	overrun    = 48 // bytes that may be written past the end of a match

	// The last offset in a buffer at which a symbol is decoded, and the last for an
	// iteration of the fast loop, which decodes two literals and a match, or three
	// literals.
	lastStart = bufferSize - maxMatch
	lastFast  = bufferSize - 2 - maxMatch - overrun
)

// A Buffer holds up to 480 KiB of decoded data, after the window of data that
// matches may refer to.
type Buffer struct{ b [bufferSize + 16]byte }

// copy16 copies 16 bytes. The source and the destination must not overlap.
func (b *Buffer) copy16(to, from int) {
	to, from = to&(bufferSize-1), from&(bufferSize-1)
	*(*[16]byte)(b.b[to : to+16]) = *(*[16]byte)(b.b[from : from+16])
}

// copy8 copies 8 bytes, which may overlap: it reads all before it writes.
func (b *Buffer) copy8(to, from int) {
	to, from = to&(bufferSize-1), from&(bufferSize-1)
	v := binary.LittleEndian.Uint64(b.b[from : from+8])
	binary.LittleEndian.PutUint64(b.b[to:to+8], v)
}

// set8 writes the byte v eight times.
func (b *Buffer) set8(to int, v uint64) {
	to &= bufferSize - 1
	binary.LittleEndian.PutUint64(b.b[to:to+8], v*0x0101010101010101)
}
