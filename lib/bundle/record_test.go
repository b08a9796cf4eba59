// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"banger/lib/status"
)

// A record with many parents can be read. One with more than that is not written.
func TestManyParents(t *testing.T) {
	for count, want := range map[int]status.Code{1: status.OK, 2000: status.OK, 11000: status.Bad, 20000: status.Bad} {
		r := &Record{Version: 1}
		for range count {
			r.Parent = &Parent{Name: "dev", SHA256: strings.Repeat("0", 64), Script: &Script{SHA256: strings.Repeat("1", 64)}, Parent: r.Parent}
		}
		file := filepath.Join(t.TempDir(), RecordFile)
		err := WriteJSON(file, r)
		if status.Of(err) != want {
			t.Errorf("%d parents: %v", count, err)
		}
		if err != nil {
			if _, err := os.Stat(file); err == nil {
				t.Errorf("%d parents: written", count)
			}
			continue
		}
		if got, err := ReadRecord(file); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%d parents: %v", count, err)
		}
	}
}
