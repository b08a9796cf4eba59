// SPDX-License-Identifier: Apache-2.0

package inflate

import "io"

// inputSize is the maximum number of bytes read at a time. It must be a power of
// two.
const inputSize = 1 << 17

// An input is a bit reader, lowest bit of a byte first. The next bits are in
// word, which is filled with whole bytes.
type input struct {
	src  io.Reader
	err  error // last error of src, also io.EOF
	read int64 // bytes read from src

	buf      *inputBuffer
	pos, end uint // range of buf that is not yet in word

	word  uint64
	count uint64 // bits in word, at most 63; the others are zero
}

// An inputBuffer has room for an 8-byte load at every index.
type inputBuffer [inputSize + 8]byte

func newInput(src io.Reader) input { return input{src: src, buf: new(inputBuffer)} }

// offset returns the number of bytes of src used, including a partial byte.
func (in *input) offset() int64 { return in.read - int64(in.end-in.pos) - int64(in.count/8) }

// fill fills the word from the buffer, up to at least 56 bits if there are as
// many.
func (in *input) fill() {
	for in.count < 56 && in.pos < in.end {
		in.word |= uint64(in.buf[in.pos]) << in.count
		in.pos++
		in.count += 8
	}
}

// maxEmptyReads limits consecutive reads of src that return neither data nor an
// error.
const maxEmptyReads = 100

// more reads from src into the buffer, which must be empty. If there is no more
// data, it returns the error of src, io.ErrUnexpectedEOF for io.EOF.
func (in *input) more() error {
	in.pos, in.end = 0, 0
	for range maxEmptyReads {
		if in.err != nil {
			break
		}
		var n int
		n, in.err = in.src.Read(in.buf[:inputSize])
		in.end = uint(n)
		in.read += int64(n)
		if n > 0 {
			return nil
		}
	}
	switch in.err {
	case nil:
		in.err = io.ErrNoProgress
	case io.EOF:
		return io.ErrUnexpectedEOF
	}
	return in.err
}

// need fills the word with at least the given number of bits, 56 at most.
func (in *input) need(bits uint64) error {
	for in.fill(); in.count < bits; in.fill() {
		if err := in.more(); err != nil {
			return err
		}
	}
	return nil
}

// take removes and returns the lowest bits of the word. It must have them.
func (in *input) take(bits uint64) uint64 {
	v := in.word & (1<<bits - 1)
	in.word >>= bits
	in.count -= bits
	return v
}

// bits returns the next n bits.
func (in *input) bits(n uint64) (uint64, error) {
	if err := in.need(n); err != nil {
		return 0, err
	}
	return in.take(n), nil
}

// align skips to the next byte boundary.
func (in *input) align() { in.take(in.count % 8) }

// waiting reports whether there is unused input in memory.
func (in *input) waiting() bool { return in.count > 0 || in.pos < in.end }
