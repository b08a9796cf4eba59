// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"io"
	"os"
	"sync"

	"banger/lib/inflate"
)

// buffered is the number of buffers of a gzip stream: one being decoded into, one
// being read, and one waiting.
const buffered = 3

// buffers holds unused buffers.
var buffers = sync.Pool{New: func() any { return new(inflate.Buffer) }}

// An ahead decodes a gzip stream on another processor, ahead of its reader.
type ahead struct {
	free    chan *inflate.Buffer
	ready   chan piece    // closed after the last piece
	stop    chan struct{} // closed by Close
	current piece         // being read
}

// A piece is a buffer of decoded data, or the error that ended the stream.
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

// decode decodes until an error, the end of the stream or Close.
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
	if a.current.err != nil {
		return a.current.err
	}
	if a.current.buf != nil {
		a.free <- a.current.buf
	}
	a.current = <-a.ready
	return a.current.err
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.current.plain) == 0 && len(p) > 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.current.plain)
	a.current.plain = a.current.plain[n:]
	return n, nil
}

// Close waits until the source is no longer read. Only then may the buffers be
// reused.
func (a *ahead) Close() error {
	if a.stopped() {
		return nil
	}
	close(a.stop)
	used := []*inflate.Buffer{}
	if a.current.buf != nil {
		used = append(used, a.current.buf)
	}
	for p := range a.ready {
		used = append(used, p.buf)
	}
	a.current = piece{err: os.ErrClosed}
	for len(a.free) > 0 {
		used = append(used, <-a.free)
	}
	for _, buf := range used {
		buffers.Put(buf)
	}
	return nil
}
