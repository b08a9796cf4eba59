// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"banger/lib/status"
)

const (
	maxWindow = 1 << 20 // bytes that are looked through at once
	maxText   = 1024    // bytes that tell what is looked for, from its start on
)

// scan reads the kernel, uncompressed, up to the first place that holds a text
// and is the right one, going by the bytes there, and calls found with what is
// left to read. It does not if there is no such place.
func (f *File) scan(ctx context.Context, text string, is func([]byte) bool, found func(*bufio.Reader) error) error {
	kernel, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer kernel.Close()
	r := bufio.NewReaderSize(io.LimitReader(kernel, maxVmlinux), maxWindow)
	for {
		window, err := r.Peek(maxWindow)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && err != io.EOF {
			return status.With(status.Bad, err)
		}
		at, here := search(window, err == io.EOF, []byte(text), is)
		r.Discard(at)
		if here {
			return found(r)
		}
		if err == io.EOF {
			return nil
		}
	}
}

// search looks through a window and returns where in it the place is, or else
// from where on another window is to tell. To move the window for each place
// that holds the text would take time as the square of their number.
func search(window []byte, last bool, text []byte, is func([]byte) bool) (at int, here bool) {
	for ; ; at++ {
		next := bytes.Index(window[at:], text)
		if next < 0 {
			return max(at, len(window)-len(text)+1), false // the text may have started
		}
		at += next
		rest := window[at:]
		if len(rest) < maxText && !last {
			return at, false
		}
		if is(rest[:min(len(rest), maxText)]) {
			return at, true
		}
	}
}

// interruptible is a reader that ends with a context.
type interruptible struct {
	ctx context.Context
	io.ReadCloser
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.ReadCloser.Read(p)
}
