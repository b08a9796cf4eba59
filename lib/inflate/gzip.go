// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Errors of the gzip format (RFC 1952, 2.3). Invalid deflate data is a
// *CorruptError, truncated data is io.ErrUnexpectedEOF.
var (
	ErrHeader   = errors.New("invalid gzip header")
	ErrChecksum = errors.New("invalid gzip checksum")
)

// A Reader decodes consecutive gzip members. It reads ahead. Data is returned
// before its checksum is verified: only io.EOF means that all of it is valid.
type Reader struct {
	d        decoder
	inMember bool
	from     int    // start of the data in the buffer that is not in crc and size
	crc      uint32 // of the member so far
	size     uint32 // of the member so far, modulo 2^32
	raw      []byte // header of the member
	err      error

	buf  *Buffer // used by Read
	rest []byte  // data that Read has not yet returned
}

// NewReader returns a Reader of the members in src.
func NewReader(src io.Reader) *Reader {
	return &Reader{d: newDecoder(src)}
}

// Next decodes into buf and returns the decoded part of it, which is empty only
// with an error. At the end, the error is io.EOF. Once it has decoded data, Next
// waits for input only to complete a header or trailer.
//
// Each call may use another buffer. Next reads the previous one, but does not
// write to it.
func (r *Reader) Next(buf *Buffer) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.d.setBuffer(buf)
	r.from = window
	for more := true; more && r.err == nil; {
		more, r.err = r.step()
	}
	if plain := buf.b[window:r.d.out]; len(plain) > 0 {
		return plain, nil
	}
	return nil, r.err
}

// step reads the header of a member if it is at one, decodes data, and reads the
// trailer at the end. It reports whether to continue with the same buffer.
func (r *Reader) step() (more bool, err error) {
	if !r.inMember {
		if err := r.header(); err != nil {
			return false, err
		}
		r.d.begin()
		r.inMember, r.crc, r.size = true, 0, 0
	}
	err = r.d.decode()
	plain := r.d.buf.b[r.from:r.d.out]
	r.crc = crc32.Update(r.crc, crc32.IEEETable, plain)
	r.size += uint32(len(plain))
	if r.from = r.d.out; err != nil || r.d.state != atEnd {
		return false, err
	}
	r.inMember = false
	if err := r.trailer(); err != nil {
		return false, err
	}
	return r.d.out == window || r.d.out <= lastStart && r.d.in.waiting(), nil
}

// trailer reads the trailer of a member and checks the checksum and size.
func (r *Reader) trailer() error {
	r.d.in.align()
	crc, err := r.d.in.bits(32)
	if err != nil {
		return err
	}
	size, err := r.d.in.bits(32)
	if err != nil {
		return err
	}
	if uint32(crc) != r.crc || uint32(size) != r.size {
		return r.wrap(ErrChecksum)
	}
	return nil
}

// wrap adds the input offset to err.
func (r *Reader) wrap(err error) error {
	return fmt.Errorf("%w near byte %d", err, r.d.in.offset())
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && len(p) > 0 {
		if r.buf == nil {
			r.buf = new(Buffer)
		}
		var err error
		if r.rest, err = r.Next(r.buf); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
