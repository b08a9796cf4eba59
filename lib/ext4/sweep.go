// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A sweep gathers blocks that lie one behind the other into large writes. What
// it was given must stay as it is until flush.
type sweep struct {
	f       *os.File
	at      int64    // where the pieces go, in bytes
	size    int64    // of the pieces
	pieces  [][]byte // not written yet
	written int64    // bytes so far
}

// maxPieces is how many pieces one write takes (UIO_MAXIOV).
const maxPieces = 1024

// add adds what belongs at a byte of the file.
func (s *sweep) add(at int64, p []byte) error {
	if at != s.at+s.size || len(s.pieces) == maxPieces {
		if err := s.flush(); err != nil {
			return err
		}
		s.at = at
	}
	// Most pieces go on where the one before ends in memory too.
	if n := len(s.pieces); n > 0 && follows(s.pieces[n-1], p) {
		s.pieces[n-1] = s.pieces[n-1][:len(s.pieces[n-1])+len(p)]
	} else {
		s.pieces = append(s.pieces, p)
	}
	s.size += int64(len(p))
	return nil
}

// follows reports whether b lies right behind a in one array.
func follows(a, b []byte) bool {
	return cap(a) >= len(a)+len(b) && len(b) > 0 && &a[:len(a)+1][len(a)] == &b[0]
}

// flush writes what is gathered.
func (s *sweep) flush() error {
	for len(s.pieces) > 0 {
		n, err := unix.Pwritev(int(s.f.Fd()), s.pieces, s.at)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return os.NewSyscallError("pwritev", err)
		}
		s.at, s.size, s.written = s.at+int64(n), s.size-int64(n), s.written+int64(n)
		s.pieces = skip(s.pieces, n)
	}
	s.pieces = s.pieces[:0]
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
