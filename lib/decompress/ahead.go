// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"io"
	"os"
	"sync"

	"banger/lib/inflate"
)

// buffered is how many buffers a gzip stream has: one is decoded into while the
// one before is read, and one waits.
const buffered = 3

// buffers holds the buffers not in use.
var buffers = sync.Pool{New: func() any { return new(inflate.Buffer) }}

// An ahead is a gzip stream that is decoded beside its reading, on another
// processor.
type ahead struct {
	free  chan *inflate.Buffer
	ready chan piece    // closed when nothing more is decoded
	stop  chan struct{} // closed by Close
	now   piece         // what is being read
}

// A piece is what was decoded into a buffer, or why nothing more was.
type piece struct {
	buf   *inflate.Buffer
	plain []byte
	err   error
}

func newAhead(r io.Reader) *ahead {
	a := &ahead{free: make(chan *inflate.Buffer, buffered), ready: make(chan piece, buffered), stop: make(chan struct{})}
	for range buffered {
		a.free <- buffers.Get().(*inflate.Buffer)
	}
	go a.decode(inflate.NewReader(r))
	return a
}

// decode decodes up to an error, the end or Close.
func (a *ahead) decode(r *inflate.Reader) {
	defer close(a.ready)
	for !a.stopped() {
		select {
		case <-a.stop:
		case buf := <-a.free:
			plain, err := r.Next(buf)
			a.ready <- piece{buf, plain, err}
			if err != nil {
				return
			}
		}
	}
}

func (a *ahead) stopped() bool {
	select {
	case <-a.stop:
		return true
	default:
		return false
	}
}

// next waits for the next piece.
func (a *ahead) next() error {
	if a.now.err != nil {
		return a.now.err
	}
	if a.now.buf != nil {
		a.free <- a.now.buf
	}
	a.now = <-a.ready
	return a.now.err
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.now.plain) == 0 && len(p) > 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.now.plain)
	a.now.plain = a.now.plain[n:]
	return n, nil
}

// Close waits until the source is no longer read. Only then does nothing look at
// the buffers any more.
func (a *ahead) Close() error {
	if a.stopped() {
		return nil
	}
	close(a.stop)
	used := []*inflate.Buffer{}
	if a.now.buf != nil {
		used = append(used, a.now.buf)
	}
	for p := range a.ready {
		used = append(used, p.buf)
	}
	a.now = piece{err: os.ErrClosed}
	for len(a.free) > 0 {
		used = append(used, <-a.free)
	}
	for _, buf := range used {
		buffers.Put(buf)
	}
	return nil
}
