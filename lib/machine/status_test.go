// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"banger/lib/guest"
)

func TestReadStatus(t *testing.T) {
	long := guest.StatusText + strings.Repeat("x", guest.MaxStatusLine)
	for lines, want := range map[string][]Report{
		"":          nil,
		"READY=1\n": {{Ready: true, Exit: -1}},
		"STATUS=a b\r\nnoise\nREADY=1\nREADY=2\nEXIT_STATUS=7\n":         {{Text: "a b", Exit: -1}, {true, "a b", -1}, {true, "a b", 7}},
		"EXIT_STATUS=256\nEXIT_STATUS=-1\nEXIT_STATUS=\nEXIT_STATUS=0\n": {{Exit: 0}},
		"EXIT_STATUS=3": {{Exit: 3}},
		long + "\n" + long + long + "\nREADY=1\n":  {{Ready: true, Exit: -1}},
		long[:guest.MaxStatusLine] + "\nREADY=1\n": {{Text: long[len(guest.StatusText):guest.MaxStatusLine], Exit: -1}, {true, long[len(guest.StatusText):guest.MaxStatusLine], -1}},
	} {
		var got []Report
		ReadStatus(iotest.OneByteReader(strings.NewReader(lines)), func(r Report) { got = append(got, r) })
		if !slices.Equal(got, want) {
			t.Errorf("%.80q: %v, want %v", lines, got, want)
		}
	}
}

// A guest that writes without end is not read without end, nor kept.
func TestReadStatusEndless(t *testing.T) {
	count := 0
	ReadStatus(endless{}, func(Report) { count++ })
	if count != maxStatusLines {
		t.Errorf("%d lines", count)
	}
	ReadStatus(io.LimitReader(iotest.DataErrReader(zeros{}), 1<<26), func(r Report) { t.Errorf("%+v", r) })
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "READY=1\n"), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
