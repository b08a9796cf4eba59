// SPDX-License-Identifier: Apache-2.0

package inflate

import "io"

// inputSize is how many bytes are read at a time at most; a power of two.
const inputSize = 1 << 17

// An input is a source of bits, the lowest bit of a byte first. The next ones
// are in a word, which is filled up with whole bytes.
type input struct {
	src  io.Reader
	err  error // what src has returned, io.EOF too
	read int64 // bytes read of src

	buf      *inputBuffer
	pos, end uint // of the bytes that are in the buffer and not yet in the word

	word  uint64
	count uint64 // of bits in the word, 63 at most; those above are zeros
}

// An inputBuffer has room for a load at every index.
type inputBuffer [inputSize + 8]byte

func newInput(src io.Reader) input { return input{src: src, buf: new(inputBuffer)} }

// offset is how many bytes of src have been used, one that was begun included.
func (in *input) offset() int64 { return in.read - int64(in.end-in.pos) - int64(in.count/8) }

// fill fills the word up with what is in the buffer, to 56 bits or more.
func (in *input) fill() {
	for in.count < 56 && in.pos < in.end {
		in.word |= uint64(in.buf[in.pos]) << in.count
		in.pos++
		in.count += 8
	}
}

// maxEmptyReads is how often src may return neither bytes nor an error.
const maxEmptyReads = 100

// more reads src into the buffer, which is empty: all of it is in the word. If
// there is nothing more, it returns the error of src. The end of src, io.EOF, is
// io.ErrUnexpectedEOF.
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

// need sees to it that there are some bits in the word, 56 at most.
func (in *input) need(bits uint64) error {
	for in.fill(); in.count < bits; in.fill() {
		if err := in.more(); err != nil {
			return err
		}
	}
	return nil
}

// take returns and removes the lowest bits of the word, which are there.
func (in *input) take(bits uint64) uint64 {
	v := in.word & (1<<bits - 1)
	in.word >>= bits
	in.count -= bits
	return v
}

// bits returns the next bits.
func (in *input) bits(n uint64) (uint64, error) {
	if err := in.need(n); err != nil {
		return 0, err
	}
	return in.take(n), nil
}

// align drops what is left of a byte that was begun.
func (in *input) align() { in.take(in.count % 8) }

// waiting reports whether there is input that was read and not yet used.
func (in *input) waiting() bool { return in.count > 0 || in.pos < in.end }
