// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Errors of the gzip format (RFC 1952, 2.3). Damaged deflate data is a
// *CorruptError; data that ends too early is io.ErrUnexpectedEOF.
var (
	ErrHeader   = errors.New("invalid gzip header")
	ErrChecksum = errors.New("invalid gzip checksum")
)

// A Reader reads what gzip members hold, one after the other. It reads ahead of
// what it returns. Bytes are returned before the checksum of their member is
// known: only io.EOF says that all of them were right.
type Reader struct {
	d      decoder
	within bool   // a member
	from   int    // where in the buffer the bytes start that are not in the sums
	crc    uint32 // of the member so far
	size   uint32 // modulo 2^32
	raw    []byte // its header
	err    error

	own  *Buffer // of Read
	rest []byte  // what Read has still to return
}

// NewReader returns a reader of the members in src.
func NewReader(src io.Reader) *Reader {
	return &Reader{d: newDecoder(src)}
}

// Next decodes into a buffer and returns the part of it that is new, which is
// empty only beside an error. At the end, the error is io.EOF. Once something was
// decoded, only the rest of a header or a trailer that has begun is waited for.
//
// It may be another buffer each time: the one before is read until Next returns,
// and not written to.
func (r *Reader) Next(buf *Buffer) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.d.turn(buf)
	r.from = window
	for more := true; more && r.err == nil; {
		more, r.err = r.step()
	}
	if plain := buf.b[window:r.d.out]; len(plain) > 0 {
		return plain, nil
	}
	return nil, r.err
}

// step reads the header of a member, or decodes what is in it; and its trailer if
// that is all. It reports whether to go on with the same buffer.
func (r *Reader) step() (more bool, err error) {
	if !r.within {
		if err := r.header(); err != nil {
			return false, err
		}
		r.d.begin()
		r.within, r.crc, r.size = true, 0, 0
	}
	err = r.d.decode()
	plain := r.d.buf.b[r.from:r.d.out]
	r.crc = crc32.Update(r.crc, crc32.IEEETable, plain)
	r.size += uint32(len(plain))
	if r.from = r.d.out; err != nil || r.d.state != atEnd {
		return false, err
	}
	r.within = false
	if err := r.trailer(); err != nil {
		return false, err
	}
	return r.d.out == window || r.d.out <= lastStart && r.d.in.waiting(), nil
}

// trailer reads the end of a member, and holds what it says against what came.
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
		return r.errorf(ErrChecksum)
	}
	return nil
}

// errorf says how far the input was read.
func (r *Reader) errorf(err error) error {
	return fmt.Errorf("%w near byte %d", err, r.d.in.offset())
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && len(p) > 0 {
		if r.own == nil {
			r.own = new(Buffer)
		}
		var err error
		if r.rest, err = r.Next(r.own); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
