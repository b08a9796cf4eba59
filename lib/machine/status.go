// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"

	"banger/lib/guest"
)

// A Report is the content of a guest's status lines.
type Report struct {
	Ready bool   // its init or its command was started
	Text  string // the last STATUS
	Exit  int    // the status of its command, -1 for none
}

// NewReport returns the report of a guest that has sent no status line.
func NewReport() Report { return Report{Exit: -1} }

// maxStatusLines is the number of lines that are read from a guest.
const maxStatusLines = 1 << 16

// ReadStatus reads status lines until their end, and calls changed after each
// that says something. Nothing that a guest writes is an error: what is no
// status line, or too long, is skipped.
func ReadStatus(r io.Reader, changed func(Report)) {
	report := NewReport()
	in := bufio.NewReaderSize(r, guest.MaxStatusLine+1)
	for range maxStatusLines {
		line, err := readLine(in)
		if report.add(line) {
			changed(report)
		}
		if err != nil {
			return
		}
	}
}

// readLine returns the next line without its end, "" for one that is too long.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return strings.TrimRight(string(line), "\r\n"), err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return "", err
}

// add takes a line into the report, and reports whether it was a status line.
func (r *Report) add(line string) bool {
	if text, ok := strings.CutPrefix(line, guest.StatusText); ok {
		r.Text = text
		return true
	}
	if line == guest.StatusReady {
		r.Ready = true
		return true
	}
	if digits, ok := strings.CutPrefix(line, guest.StatusExit); ok {
		code, err := strconv.ParseUint(digits, 10, 8)
		if err != nil {
			return false
		}
		r.Exit = int(code)
		return true
	}
	return false
}
