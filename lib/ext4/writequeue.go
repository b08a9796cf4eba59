// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A writeQueue collects blocks to be written and merges adjacent ones. Blocks must
// not be modified until they are written.
type writeQueue []segment

// A segment is a range of adjacent blocks.
type segment struct {
	at     int64    // offset in the image
	size   int64    // in bytes
	pieces [][]byte // the content
}

// maxPieces is the maximum number of pieces per write (UIO_MAXIOV).
const maxPieces = 1024

// add adds blocks p at offset at of the image.
func (q *writeQueue) add(at int64, p []byte) {
	var last *segment
	if n := len(*q); n > 0 {
		last = &(*q)[n-1]
	}
	if last == nil || last.at+last.size != at || len(last.pieces) == maxPieces {
		*q = append(*q, segment{at: at})
		last = &(*q)[len(*q)-1]
	}
	last.size += int64(len(p))
	// Adjacent blocks are usually adjacent in memory as well.
	if n := len(last.pieces); n > 0 && follows(last.pieces[n-1], p) {
		last.pieces[n-1] = last.pieces[n-1][:len(last.pieces[n-1])+len(p)]
	} else {
		last.pieces = append(last.pieces, p)
	}
}

// follows reports whether b directly follows a in the same array.
func follows(a, b []byte) bool {
	return cap(a) >= len(a)+len(b) && len(b) > 0 && &a[:len(a)+1][len(a)] == &b[0]
}

// write writes the queue and returns the number of bytes written.
func (q writeQueue) write(f *os.File) (written int64, err error) {
	for _, segment := range q {
		if err := segment.write(f); err != nil {
			return written, err
		}
		written += segment.size
	}
	return written, nil
}

func (s segment) write(f *os.File) error {
	for len(s.pieces) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), s.pieces, s.at)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return os.NewSyscallError("pwritev", err)
		}
		s.at, s.pieces = s.at+int64(n), skip(s.pieces, n)
	}
	return nil
}

// skip removes the first n bytes.
func skip(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n, pieces = n-len(pieces[0]), pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
