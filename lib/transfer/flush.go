// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A flusher counts what was written since the last flush.
type flusher struct {
	every int64
	bytes atomic.Int64
	wake  chan struct{}
}

func newFlusher(every int64) *flusher {
	return &flusher{every: every, wake: make(chan struct{}, 1)}
}

// add counts bytes, and wakes the goroutine in flush.
func (w *flusher) add(n int) {
	if w.bytes.Add(int64(n)) < w.every {
		return
	}
	select {
	case w.wake <- struct{}{}:
		w.bytes.Add(-w.every)
	default:
	}
}

// flush writes the part file to the disk as it grows, until ctx ends, so that little
// is left to do for the sync at the end.
func (f *fetch) flush(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.flusher.wake:
		}
		if err := f.sync(f.disk.fdatasync); err != nil {
			return err
		}
	}
}

// sync calls fsync(2) or fdatasync(2) for the part file.
func (f *fetch) sync(call func(fd int) error) error {
	err := call(int(f.file.Fd()))
	for err == unix.EINTR {
		err = call(int(f.file.Fd()))
	}
	if err != nil {
		return &syncError{&os.PathError{Op: "sync", Path: f.path, Err: err}}
	}
	return nil
}

// A syncError means that the kernel may have dropped any of the bytes, and reports
// that only once.
type syncError struct{ error }

func (e *syncError) Unwrap() error { return e.error }

// A disk has the system calls that write a file to the disk.
type disk struct{ fsync, fdatasync func(fd int) error }

var standardDisk = disk{unix.Fsync, unix.Fdatasync}
