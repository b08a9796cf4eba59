// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// An implied directory counts as an entry.
func TestImpliedEntries(t *testing.T) {
	for parents, wrong := range map[int]bool{9: false, 10: true} {
		image := newImage(t)
		image.reader.MaxEntries = 10
		err := image.apply(pack(file(strings.Repeat("d/", parents)+"f", "")))
		if (err != nil) != wrong || wrong && !errors.Is(err, ErrTooManyEntries) {
			t.Errorf("an entry and %d parents, of 10: %v", parents, err)
		}
	}
}

// The number of warnings is limited.
func TestManyWarnings(t *testing.T) {
	image := newImage(t)
	var records []option
	for i := range 3 * maxWarnings {
		records = append(records, pax(fmt.Sprintf("SCHILY.xattr.no%d.x", i), "v"))
	}
	if err := image.apply(pack(file("f", "", records...))); err != nil {
		t.Fatal(err)
	}
	if len(image.warned) != maxWarnings+1 || !strings.Contains(image.warned[maxWarnings], "suppressed") {
		t.Errorf("%d warnings, the last %q", len(image.warned), image.warned[len(image.warned)-1])
	}
}
