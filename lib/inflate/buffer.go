// SPDX-License-Identifier: Apache-2.0

package inflate

import "encoding/binary"

const (
	window     = 32 << 10  // how far a match may reach back (RFC 1951, 2)
	bufferSize = 512 << 10 // a power of two
	maxMatch   = 258
	overrun    = 48 // bytes that copying a match may write behind it

	// The last place in a buffer from where a symbol is decoded, and the last for
	// a turn of the fast loop, which decodes two literals and a match, or three.
	lastStart = bufferSize - maxMatch
	lastFast  = bufferSize - 2 - maxMatch - overrun
)

// A Buffer takes what is decoded, 480 KiB at a time at most. Before it is what
// the next matches may reach.
type Buffer struct{ b [bufferSize + 16]byte }

// copy16 copies 16 bytes, which do not overlap.
func (b *Buffer) copy16(to, from int) {
	to, from = to&(bufferSize-1), from&(bufferSize-1)
	*(*[16]byte)(b.b[to : to+16]) = *(*[16]byte)(b.b[from : from+16])
}

// copy8 copies 8 bytes, which may overlap: all are read before one is written.
func (b *Buffer) copy8(to, from int) {
	to, from = to&(bufferSize-1), from&(bufferSize-1)
	v := binary.LittleEndian.Uint64(b.b[from : from+8])
	binary.LittleEndian.PutUint64(b.b[to:to+8], v)
}

// set8 writes one byte eight times.
func (b *Buffer) set8(to int, v uint64) {
	to &= bufferSize - 1
	binary.LittleEndian.PutUint64(b.b[to:to+8], v*0x0101010101010101)
}
