// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// buffers hold data on its way to a client. One is taken when there is data, so
// that hundreds of idle sessions need no memory for any.
var buffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// A source is a file or socket that the Go runtime polls.
type source interface {
	SyscallConn() (syscall.RawConn, error)
}

// send copies to a client until src ends. Once src's deadline for reading is
// over, it copies what is there.
func send(client io.Writer, src source) error {
	raw, err := src.SyscallConn()
	if err != nil {
		return err
	}
	for {
		more, err := sendOnce(client, raw.Read)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sendRest(client, raw)
		case err != nil || !more:
			return err
		}
	}
}

// maxRest is how often sendRest reads. A terminal holds less than that, 64 KiB that
// come in pieces of 4; a process in the background might write without end.
const maxRest = 64

// sendRest copies what can be read without waiting.
func sendRest(client io.Writer, raw syscall.RawConn) error {
	for range maxRest {
		more, err := sendOnce(client, func(f func(uintptr) bool) error {
			return raw.Control(func(fd uintptr) { f(fd) })
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// sendOnce reads once, by wait, which calls a function when there may be
// something to read, and writes that to a client. It reports whether there may be
// more.
func sendOnce(client io.Writer, wait func(func(fd uintptr) bool) error) (more bool, err error) {
	var buffer *[copySize]byte
	n := 0
	defer func() {
		if buffer != nil {
			buffers.Put(buffer)
		}
	}()
	err = wait(func(fd uintptr) (done bool) {
		if buffer == nil {
			buffer = buffers.Get().(*[copySize]byte)
		}
		for {
			switch read, e := unix.Read(int(fd), buffer[:]); e {
			case nil:
				n = read
				return true
			case unix.EINTR:
			case unix.EAGAIN:
				buffers.Put(buffer)
				buffer = nil
				return false
			default: // EIO is the end of a terminal, ECONNRESET of a connection
				return true
			}
		}
	})
	if err != nil || n == 0 {
		return false, err
	}
	_, err = client.Write(buffer[:n])
	return true, err
}

// firstSize is how many bytes take reads at first.
const firstSize = 1 << 10

// take copies from a client until that has sent all, or dst takes no more. Its
// buffer grows with what the client sends.
func take(dst io.Writer, client io.Reader) error {
	buffer := make([]byte, firstSize)
	for {
		n, err := client.Read(buffer)
		if n > 0 {
			if _, err := dst.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case n == len(buffer) && n < copySize:
			buffer = make([]byte, min(4*n, copySize))
		}
	}
}
