// SPDX-License-Identifier: Apache-2.0

package input

import (
	"strings"
	"testing"
)

// Values are counted before they are decoded.
func TestUnmarshalLimit(t *testing.T) {
	for limit, wrong := range map[int]bool{3: false, 2: true} {
		var list []int
		err := Unmarshal([]byte("[1,2,3,4]"), &list, limit)
		if (err != nil) != wrong || wrong && (list != nil || !strings.Contains(err.Error(), "values")) {
			t.Errorf("limit %d: %v, %v", limit, list, err)
		}
	}
}
