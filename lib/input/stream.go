// SPDX-License-Identifier: Apache-2.0

package input

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream is a file that is read once from start to end. It may be a FIFO, as
// for /dev/stdin and <(command) of the shell.
type Stream struct {
	*os.File
	stop func() bool
}

// OpenStream opens a stream. Like open(2), it waits for a writer of a FIFO. The
// end of the context ends opening and reading.
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

// wait waits for the first writer of a FIFO. Until then a read after O_NONBLOCK
// returns end of file (fifo(7)); poll(2) tells the two apart.
func (s *Stream) wait() error {
	info, err := s.Stat()
	if err != nil || info.Mode().Type() != os.ModeNamedPipe {
		return err
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var pollErr error
	err = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			pollErr = os.NewSyscallError("poll", err)
			return true
		}
		return n > 0
	})
	return errors.Join(err, pollErr)
}

// Close closes the stream.
func (s *Stream) Close() error {
	s.stop()
	return s.File.Close()
}
