// SPDX-License-Identifier: Apache-2.0

package input

import (
	"bufio"
	"io"

	"banger/lib/status"
)

// Lines reads lines of a limited length.
type Lines struct {
	Number int // of the line that was read last, from 1

	in   *bufio.Reader
	most int
}

// NewLines returns a reader of lines of at most so many bytes each.
func NewLines(r io.Reader, most int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, 64<<10), most: most}
}

// Next returns the next line without its newline, io.EOF after the last one.
// The last line needs no newline.
func (l *Lines) Next() (string, error) {
	l.Number++
	var long []byte // what is longer than the buffer
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
		case len(long)+len(piece) > l.most:
			return "", status.Errorf(status.Bad, "line %d: more than %d bytes", l.Number, l.most)
		case err != bufio.ErrBufferFull && long == nil:
			return string(piece), nil
		}
		if long = append(long, piece...); err != bufio.ErrBufferFull {
			return string(long), nil
		}
	}
}
