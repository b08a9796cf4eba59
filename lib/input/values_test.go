// SPDX-License-Identifier: Apache-2.0

package input

import (
	"strings"
	"testing"
)

// Values are counted before anything is made of them.
func TestUnmarshalLimit(t *testing.T) {
	for most, wrong := range map[int]bool{3: false, 2: true} {
		var list []int
		err := Unmarshal([]byte("[1,2,3,4]"), &list, most)
		if (err != nil) != wrong || wrong && (list != nil || !strings.Contains(err.Error(), "values")) {
			t.Errorf("at most %d commas: %v, %v", most, list, err)
		}
	}
}
