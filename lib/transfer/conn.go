// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"io"
	"time"

	"banger/lib/retry"
	"banger/lib/status"
)

// stallAfter is how long a connection may deliver less than 1 KiB a second.
const stallAfter = 30 * time.Second

var errStalled = status.Errorf(status.Temporary, "server is silent: less than 1 KiB a second for %v", stallAfter)

// A conn is a connection that delivers an answer. Its Read fails with errStalled if it
// is stalled.
type conn struct {
	*Answer
	src    *source
	tries  *retry.Tries
	buffer []byte
	ctx    context.Context
	cancel context.CancelCauseFunc
	slot   *slot
	stall  *Stall
}

// connect sends a request for a span, or for the whole blob, as soon as the limits of
// connections allow it.
func (f *fetch) connect(ctx context.Context, src *source, s *span, from, to int64) (*conn, error) {
	slot, err := f.slot(ctx, src, s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	answer, err := src.Open(ctx, from, to)
	if err != nil {
		cancel(nil)
		slot.free()
		return nil, err
	}
	stall := NewStall(stallAfter, func() { cancel(errStalled) })
	return &conn{Answer: answer, src: src, ctx: ctx, cancel: cancel, slot: slot, stall: stall, buffer: make([]byte, bufferSize)}, nil
}

// close ends the connection, unless it is at its end and can be used again.
func (c *conn) close() {
	c.Body.Close()
	c.cancel(nil)
	c.slot.free()
}

// slot returns the slot that a span has, if it is one of the host, or waits for one.
func (f *fetch) slot(ctx context.Context, src *source, s *span) (*slot, error) {
	has := s.takeSlot()
	if has != nil && has.name == src.Name() {
		return has, nil
	}
	has.free()
	return f.Limiter.acquire(ctx, src.Name())
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.stall.Read(c.Body, p)
	if err != nil && err != io.EOF && errors.Is(context.Cause(c.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

// fill reads until p is full.
func (c *conn) fill(p []byte) (int, error) {
	n, err := io.ReadFull(c, p)
	var typed *Error
	switch {
	case err == nil, errors.As(err, &typed):
		return n, err
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		err = status.Errorf(status.Temporary, "connection cut: %w", io.ErrUnexpectedEOF)
	}
	return n, &Error{Kind: Temporary, Err: err}
}

// receive writes the bytes of an answer up to an offset to a span, which they begin
// with. It ends early where another worker took over the end of the span.
func (f *fetch) receive(c *conn, s *span, to int64) error {
	for {
		from, end := f.bounds(s)
		n := min(bufferSize, f.unit-from%f.unit, min(end, to)-from)
		if n <= 0 {
			return nil
		}
		got, err := c.fill(c.buffer[:n])
		if got > 0 {
			if err := f.write(c.src, s, c.buffer[:got]); err != nil {
				return err
			}
			c.tries.Progress(int64(got))
		}
		if err != nil {
			return err
		}
	}
}

// receiveWhole writes those bytes of a whole blob that are missing. The caller is
// the only worker.
func (f *fetch) receiveWhole(c *conn) error {
	if f.skipped+f.unneeded() > f.Size {
		return &Error{Kind: Final, Err: status.Errorf(status.Temporary, "%s: cut again and again, and the server has no ranges", f.Digest)}
	}
	at := int64(0)
	for _, s := range f.spans {
		if s.rest() == 0 {
			continue
		}
		if err := f.skip(c, s.pos-at); err != nil {
			return err
		}
		if err := f.receive(c, s, s.end); err != nil {
			return err
		}
		at = s.end
	}
	if at == f.Size {
		n, _ := c.Read(c.buffer[:1])
		f.longer = n > 0
	}
	return nil
}

// unneeded returns how many bytes of a whole blob are to be discarded.
func (f *fetch) unneeded() int64 {
	var n, at int64
	for _, s := range f.spans {
		if s.rest() > 0 {
			n += s.pos - at
			at = s.end
		}
	}
	return n
}

// skip discards n bytes.
func (f *fetch) skip(c *conn, n int64) error {
	for n > 0 {
		got, err := c.fill(c.buffer[:min(bufferSize, n)])
		n -= int64(got)
		f.skipped += int64(got)
		if err != nil {
			return err
		}
	}
	return nil
}
