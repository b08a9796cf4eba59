// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"hash/crc32"
	"io"
)

// Flags and method of a member header (RFC 1952, 2.3.1).
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagsReserved = 0xe0

	methodDeflate = 8
)

// maxText limits the length of a name or comment, in bytes. RFC 1952 has no
// limit, and a caller cannot limit them, as they produce no output.
const maxText = 64 << 10

// header reads the header of a member and ignores the file information in it. It
// returns io.EOF if the input ends before the header.
func (r *Reader) header() error {
	if err := r.d.in.need(8); err != nil {
		if r.d.in.err == io.EOF && r.d.in.count == 0 {
			return io.EOF
		}
		return err
	}
	h := headerReader{in: &r.d.in, raw: r.raw[:0]}
	magic, method, flags := h.bytes(2), h.bytes(1), h.bytes(1)
	if h.err == nil && (magic != 0x8b1f || method != methodDeflate || flags&flagsReserved != 0) {
		h.err = ErrHeader
	}
	h.bytes(6) // MTIME, XFL and OS
	if flags&flagExtra != 0 {
		h.skip(int(h.bytes(2)))
	}
	if flags&flagName != 0 {
		h.text()
	}
	if flags&flagComment != 0 {
		h.text()
	}
	if flags&flagHeaderCRC != 0 {
		sum := uint64(crc32.ChecksumIEEE(h.raw) & 0xffff)
		if h.bytes(2) != sum && h.err == nil {
			h.err = ErrHeader
		}
	}
	r.raw = h.raw
	if h.err == ErrHeader {
		return r.wrap(ErrHeader)
	}
	return h.err
}

// A headerReader reads the bytes of a header. It keeps the first error.
type headerReader struct {
	in  *input
	raw []byte // all bytes so far
	err error
}

// bytes returns a little-endian number of up to 7 bytes, 0 after an error.
func (h *headerReader) bytes(count int) (v uint64) {
	h.skip(count)
	if h.err != nil {
		return 0
	}
	for i, b := range h.raw[len(h.raw)-count:] {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// skip skips count bytes.
func (h *headerReader) skip(count int) {
	for range count {
		h.next()
	}
}

// text skips a NUL-terminated string.
func (h *headerReader) text() {
	for start := len(h.raw); h.next() != 0; {
		if len(h.raw)-start > maxText {
			h.err = ErrHeader
		}
	}
}

// next returns the next byte, 0 after an error.
func (h *headerReader) next() byte {
	if h.err != nil {
		return 0
	}
	b, err := h.in.bits(8)
	if h.err = err; err != nil {
		return 0
	}
	h.raw = append(h.raw, byte(b))
	return byte(b)
}
