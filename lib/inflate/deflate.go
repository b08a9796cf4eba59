// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"fmt"
	"io"
)

// A CorruptError reports data that is not valid by RFC 1951 or RFC 1952.
type CorruptError struct {
	Offset int64 // bytes read before the error
	What   string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt deflate data near byte %d: %s", e.Offset, e.What)
}

func (d *decoder) corrupt(what string) error { return &CorruptError{d.in.offset(), what} }

// A decoder decodes consecutive deflate streams (RFC 1951).
type decoder struct {
	in input

	buf   *Buffer
	out   int // where the next byte is written in buf
	floor int // first byte of the stream in buf that a match may reach

	state   state
	final   bool   // the block is the last of the stream
	stored  int    // bytes left of a stored block
	coded   *codes // of the block: the fixed codes or dynamic
	dynamic codes
}

func newDecoder(src io.Reader) decoder { return decoder{in: newInput(src), out: window} }

// A state tells what follows in a stream.
type state int

const (
	atBlock  state = iota // block header
	inStored              // bytes of a stored block
	inCoded               // symbols of a compressed block
	atEnd                 // nothing
)

// begin begins a stream. Its matches cannot reach data decoded before.
func (d *decoder) begin() { d.state, d.final, d.floor = atBlock, false, d.out }

// setBuffer continues in another buffer, or in the same one. It copies the window
// to the start of the buffer.
func (d *decoder) setBuffer(buf *Buffer) {
	if d.buf != nil {
		copy(buf.b[:window], d.buf.b[d.out-window:d.out])
	}
	d.floor = max(0, d.floor-(d.out-window))
	d.buf, d.out = buf, window
}

// decode decodes until the stream ends or the buffer is full. It waits for input
// only if the buffer is empty.
func (d *decoder) decode() error {
	for d.state != atEnd && d.out <= lastStart {
		var wait bool
		var err error
		switch d.state {
		case atBlock:
			wait, err = d.header()
		case inStored:
			wait, err = d.copyStored()
		case inCoded:
			wait, err = d.symbols()
		}
		if err != nil {
			return err
		}
		if !wait {
			continue
		}
		if d.out > window {
			return nil
		}
		if err := d.in.more(); err != nil {
			return err
		}
	}
	return nil
}

// endBlock sets the state after a block.
func (d *decoder) endBlock() {
	if d.state = atBlock; d.final {
		d.state = atEnd
	}
}

// header reads the header of a block (RFC 1951, 3.2.3). It reports whether to
// wait for input. It waits itself for the rest of a header that has begun.
func (d *decoder) header() (wait bool, err error) {
	d.in.fill()
	if d.in.count < 3 {
		return true, nil
	}
	d.final = d.in.take(1) == 1
	switch d.in.take(2) {
	case 0:
		return false, d.storedHeader()
	case 1:
		d.state, d.coded = inCoded, fixed()
		return false, nil
	case 2:
		d.state = inCoded
		return false, d.dynamicCodes()
	}
	return false, d.corrupt("invalid block type")
}

// storedHeader reads the length of a stored block (3.2.4).
func (d *decoder) storedHeader() error {
	d.in.align()
	lengths, err := d.in.bits(32)
	if err != nil {
		return err
	}
	length, complement := lengths&0xffff, lengths>>16
	if length^complement != 0xffff {
		return d.corrupt("stored block length does not match its complement")
	}
	d.state, d.stored = inStored, int(length)
	return nil
}

// copyStored copies the available bytes of a stored block, first those in the
// word, which holds whole bytes.
func (d *decoder) copyStored() (wait bool, err error) {
	for d.stored > 0 && d.in.count > 0 && d.out < bufferSize {
		d.buf.b[d.out] = byte(d.in.take(8))
		d.out++
		d.stored--
	}
	available := d.in.buf[d.in.pos:d.in.end]
	n := copy(d.buf.b[d.out:bufferSize], available[:min(d.stored, len(available))])
	d.in.pos += uint(n)
	d.out += n
	if d.stored -= n; d.stored == 0 {
		d.endBlock()
		return false, nil
	}
	return d.out < bufferSize, nil
}
