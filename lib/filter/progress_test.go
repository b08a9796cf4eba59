// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"
	"testing"
	"time"
)

// A line fits into the terminal: figures are left out first, then the title is
// cut.
func TestProgressLine(t *testing.T) {
	const title, mb = "fetching ghcr.io/acme/some/web:1", 1_000_000
	for columns, want := range map[int]string{
		100: title + "  27%  270MB of 1GB  90MB/s  8s left",
		63:  "fetching ghcr.io/acme/so...  27%  270MB of 1GB  90MB/s  8s left",
		39:  "fetching ghcr.io/...  27%  270MB of 1GB",
		20:  "fetching ghc...  27%",
		5:   "  27%",
		3:   "...",
		0:   "",
	} {
		got := progressLine(title, 1000*mb, 270*mb, 3*time.Second, columns)
		if got != want || width(got) > columns {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
	if got, want := progressLine("making x", 0, 12*mb, 0, 79), "making x  12MB"; got != want {
		t.Errorf("of no known size: %q, want %q", got, want)
	}
	if got := progressLine("making "+strings.Repeat("\u4e2d", 50), 0, 0, 0, 39); width(got) > 39 {
		t.Errorf("wide: %q", got)
	}
}
