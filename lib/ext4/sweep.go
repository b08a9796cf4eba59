// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A sweep is blocks to be written, those that lie one behind the other in one
// go. What it is given must stay as it is until it is written.
type sweep []stretch

// A stretch is blocks that lie one behind the other.
type stretch struct {
	at     int64    // the byte of the file where they go
	size   int64    // of all of them
	pieces [][]byte // where they are in memory
}

// maxPieces is how many pieces one write takes (UIO_MAXIOV).
const maxPieces = 1024

// add adds blocks that belong at a byte of the file.
func (s *sweep) add(at int64, p []byte) {
	var last *stretch
	if n := len(*s); n > 0 {
		last = &(*s)[n-1]
	}
	if last == nil || last.at+last.size != at || len(last.pieces) == maxPieces {
		*s = append(*s, stretch{at: at})
		last = &(*s)[len(*s)-1]
	}
	last.size += int64(len(p))
	// Most go on where the one before ends in memory too.
	if n := len(last.pieces); n > 0 && follows(last.pieces[n-1], p) {
		last.pieces[n-1] = last.pieces[n-1][:len(last.pieces[n-1])+len(p)]
	} else {
		last.pieces = append(last.pieces, p)
	}
}

// follows reports whether b lies right behind a in one array.
func follows(a, b []byte) bool {
	return cap(a) >= len(a)+len(b) && len(b) > 0 && &a[:len(a)+1][len(a)] == &b[0]
}

// write writes all of it.
func (s sweep) write(f *os.File) (written int64, err error) {
	for _, stretch := range s {
		if err := stretch.write(f); err != nil {
			return written, err
		}
		written += stretch.size
	}
	return written, nil
}

func (s stretch) write(f *os.File) error {
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

// skip takes the first n bytes off.
func skip(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n, pieces = n-len(pieces[0]), pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
