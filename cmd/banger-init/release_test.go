// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
)

func TestSwapFiles(t *testing.T) {
	const text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" +
		"/swap                                   file\t\t1020\t\t0\t\t-2\n" +
		"/a\\040\"b\\134                               file\t\t1020\t\t0\t\t-3\n" +
		"/dev/zram0                              partition\t1020\t\t0\t\t-4\n"
	if got, want := swapFiles(text), []string{"/swap", `/a "b\`, "/dev/zram0"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	if got := swapFiles(""); len(got) > 0 {
		t.Errorf("%q", got)
	}
}
