// SPDX-License-Identifier: Apache-2.0

package input

import (
	"bufio"
	"io"

	"banger/lib/status"
)

// Lines reads lines of limited length.
type Lines struct {
	Number int // number of the last line read, from 1

	in    *bufio.Reader
	limit int
}

// NewLines returns a reader of lines of at most limit bytes.
func NewLines(r io.Reader, limit int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// Next returns the next line without its newline, or io.EOF. The last line needs
// no newline.
func (l *Lines) Next() (string, error) {
	l.Number++
	var long []byte // start of a line longer than the buffer
	for {
		piece, err := l.in.ReadSlice('\n')
		ended := err == nil
		if ended {
			piece = piece[:len(piece)-1]
		}
		switch {
		case err == io.EOF && len(long)+len(piece) == 0:
			return "", io.EOF
		case !ended && err != io.EOF && err != bufio.ErrBufferFull:
			return "", err
		case len(long)+len(piece) > l.limit:
			return "", status.Errorf(status.Bad, "line %d: too long (limit %d bytes)", l.Number, l.limit)
		case err != bufio.ErrBufferFull && long == nil:
			return string(piece), nil
		}
		if long = append(long, piece...); err != bufio.ErrBufferFull {
			return string(long), nil
		}
	}
}
