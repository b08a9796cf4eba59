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
	maxWindow = 1 << 20 // bytes searched at once
	maxText   = 1024    // bytes passed to match
)

// scan searches the uncompressed kernel for the first occurrence of text that
// match accepts, and calls found with a reader at it. match gets up to maxText
// bytes from the occurrence on. Without one, found is not called.
func (f *File) scan(ctx context.Context, text string, match func([]byte) bool, found func(*bufio.Reader) error) error {
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
		at, ok := search(window, err == io.EOF, []byte(text), match)
		r.Discard(at)
		if ok {
			return found(r)
		}
		if err == io.EOF {
			return nil
		}
	}
}

// search returns the offset of the first match in a window, or the offset at which
// the next window must begin. It tries all occurrences in the window: moving the
// window for each would take quadratic time.
func search(window []byte, last bool, text []byte, match func([]byte) bool) (at int, ok bool) {
	for ; ; at++ {
		next := bytes.Index(window[at:], text)
		if next < 0 {
			return max(at, len(window)-len(text)+1), false // the text may begin at the end of the window
		}
		at += next
		rest := window[at:]
		if len(rest) < maxText && !last {
			return at, false
		}
		if match(rest[:min(len(rest), maxText)]) {
			return at, true
		}
	}
}

// An interruptible reader fails once its context is done.
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
