// SPDX-License-Identifier: Apache-2.0

package input

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream is what a user names to be read once, from its start to its end: a
// file, or a FIFO, as /dev/stdin and a shell's <(command) are.
type Stream struct {
	*os.File
	stop func() bool
}

// OpenStream opens a stream. Neither opening it nor reading from it outlasts the
// context: a FIFO that nobody writes to is waited for, as open(2) would, until
// the context ends.
func OpenStream(ctx context.Context, path string) (*Stream, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	past := time.Unix(1, 0)
	s := &Stream{f, context.AfterFunc(ctx, func() { f.SetReadDeadline(past) })}
	if err := s.wait(); err != nil {
		s.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

// wait waits for the first writer of a FIFO. Without one, reading from a FIFO
// that was opened by O_NONBLOCK is its end (fifo(7)); poll(2) tells the two apart.
func (s *Stream) wait() error {
	info, err := s.Stat()
	if err != nil || info.Mode().Type() != os.ModeNamedPipe {
		return err
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = os.NewSyscallError("poll", err)
			return true
		}
		return n > 0
	})
	return errors.Join(err, failed)
}

// Close closes the stream.
func (s *Stream) Close() error {
	s.stop()
	return s.File.Close()
}
