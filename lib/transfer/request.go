// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"sync/atomic"

	"banger/lib/retry"
	"banger/lib/status"
)

// errOneStream is the error of a worker that must be alone, because the host has no
// ranges, and is not.
var errOneStream = errors.New("host has no ranges")

// errMoved is returned for a host that another worker has left.
var errMoved = errors.New("host failed for another segment")

// A source is a Host and what is known of it.
type source struct {
	Host
	index   int
	ranges  atomic.Bool   // it has answered with a range
	whole   atomic.Bool   // it is asked for the whole blob only
	probing chan struct{} // held by the worker that tries whether it has ranges
}

func (f *fetch) source() *source {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sources[f.current]
}

// fill fetches a span, from one host after the other.
func (f *fetch) fill(ctx context.Context, s *span) error {
	tries := f.Retry.Start()
	for {
		if from, to := f.bounds(s); from == to {
			return nil
		}
		src := f.source()
		err := f.request(ctx, src, s, tries)
		var own localError
		switch {
		case err == nil, err == errMoved:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case err == errOneStream:
			return err
		case errors.As(err, &own):
			return own.error
		}
		if err := f.failed(ctx, src, err, tries); err != nil {
			return err
		}
	}
}

// failed decides what follows an error of a host: another request if it returns nil.
func (f *fetch) failed(ctx context.Context, src *source, err error, tries *retry.Tries) error {
	kind, after := kindOf(err)
	if kind == NoRanges && !src.whole.Load() {
		f.log(src, err)
		return f.askWhole(src)
	}
	if f.leave(src) {
		f.log(src, err)
		return nil
	}
	if kind != Temporary {
		return err
	}
	if f.Retry.For > 0 {
		f.log(src, err)
	}
	return tries.Wait(ctx, err, after)
}

// leave goes on to the host after src, unless that is the last or another worker
// did.
func (f *fetch) leave(src *source) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if src.index == len(f.sources)-1 {
		return false
	}
	f.current = max(f.current, src.index+1)
	return true
}

// askWhole makes all further requests to a host ones for the whole blob. It returns
// errOneStream if the caller is not the only worker.
func (f *fetch) askWhole(src *source) error {
	src.whole.Store(true)
	return f.alone()
}

// alone returns errOneStream if several workers were started.
func (f *fetch) alone() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enough != nil {
		return errOneStream
	}
	return nil
}

// request sends one request for a span and writes the answer.
func (f *fetch) request(ctx context.Context, src *source, s *span, tries *retry.Tries) error {
	from, to := f.bounds(s)
	if src.whole.Load() {
		if err := f.alone(); err != nil {
			return err
		}
		from, to = 0, f.Size
	}
	c, err := f.open(ctx, src, s, from, to)
	if err != nil {
		return err
	}
	defer c.close()
	c.tries = tries
	exact := c.From == from && c.To > from && c.To <= to
	switch {
	case c.Size != 0 && c.Size != f.Size:
		return status.Errorf(status.Bad, "%s: size mismatch: server has %d bytes, not %d", f.Digest, c.Size, f.Size)
	case c.Whole, from == 0 && c.From == 0 && c.To == f.Size:
		if from > 0 || to < f.Size {
			if err := f.askWhole(src); err != nil {
				return err
			}
		}
		return f.receiveWhole(c)
	case src.whole.Load():
		return status.Errorf(status.Bad, "%s: server answered with a part of the blob, and has no ranges", f.Digest)
	case !exact:
		return f.askWhole(src)
	}
	f.start(ctx)
	return f.receive(c, s, c.To)
}

// open sends a request. Only one at a time is sent to a host that has not yet
// answered with a range. A worker that waits for the probe gives up its slot first,
// because the probe may need it.
func (f *fetch) open(ctx context.Context, src *source, s *span, from, to int64) (*conn, error) {
	if !src.ranges.Load() {
		s.takeSlot().free()
		if err := enter(ctx, src.probing); err != nil {
			return nil, err
		}
		if src.ranges.Load() {
			<-src.probing
		} else {
			defer func() { <-src.probing }()
		}
	}
	if f.source() != src {
		return nil, errMoved
	}
	c, err := f.connect(ctx, src, s, from, to)
	if err == nil && !c.Whole {
		src.ranges.Store(true)
	}
	return c, err
}
