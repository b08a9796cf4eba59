// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"fmt"
	"io"
)

// A CorruptError says that the data is not what RFC 1951 or RFC 1952 describe.
type CorruptError struct {
	Offset int64 // how many bytes were read before
	What   string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt deflate data near byte %d: %s", e.Offset, e.What)
}

func (d *decoder) corrupt(what string) error { return &CorruptError{d.in.offset(), what} }

// A decoder decodes one deflate stream after the other (RFC 1951).
type decoder struct {
	in input

	// The buffer that is written to, up to where, and the first byte that a
	// match may reach: it is of the same stream, and at most 32 KiB away.
	buf   *Buffer
	out   int
	floor int

	state  state
	final  bool   // the block is the last of the stream
	stored int    // bytes that a stored block has still to come
	coded  *codes // of the block: own, or the fixed ones
	own    codes
}

func newDecoder(src io.Reader) decoder { return decoder{in: newInput(src), out: window} }

// A state is what comes next in a stream.
type state int

const (
	atBlock  state = iota // the header of a block
	inStored              // bytes of a stored block
	inCoded               // symbols of a block with codes
	atEnd                 // nothing
)

// begin begins a stream: what was decoded before it is out of reach.
func (d *decoder) begin() { d.state, d.final, d.floor = atBlock, false, d.out }

// turn goes on in another buffer, or in the same: what the next matches may reach
// is copied to its start.
func (d *decoder) turn(buf *Buffer) {
	if d.buf != nil {
		copy(buf.b[:window], d.buf.b[d.out-window:d.out])
	}
	d.floor = max(0, d.floor-(d.out-window))
	d.buf, d.out = buf, window
}

// decode decodes until the stream has ended, the buffer is full, or input is
// waited for while there is something for the caller.
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

// endBlock goes on behind a block.
func (d *decoder) endBlock() {
	if d.state = atBlock; d.final {
		d.state = atEnd
	}
}

// header reads the header of a block (RFC 1951, 3.2.3). Once a block has
// begun, all of its header is waited for.
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

// copyStored copies what there is of a stored block. The word is emptied first:
// it has whole bytes.
func (d *decoder) copyStored() (wait bool, err error) {
	for d.stored > 0 && d.in.count > 0 && d.out < bufferSize {
		d.buf.b[d.out] = byte(d.in.take(8))
		d.out++
		d.stored--
	}
	there := d.in.buf[d.in.pos:d.in.end]
	n := copy(d.buf.b[d.out:bufferSize], there[:min(d.stored, len(there))])
	d.in.pos += uint(n)
	d.out += n
	if d.stored -= n; d.stored == 0 {
		d.endBlock()
		return false, nil
	}
	return d.out < bufferSize, nil
}
