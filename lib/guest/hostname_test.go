// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"strings"
	"testing"
)

func TestHostname(t *testing.T) {
	for name, want := range map[string]string{"web": "web", "a_b+c.d-2": "a-b-c.d-2", strings.Repeat("x", 128): strings.Repeat("x", 63), "a-": "a"} {
		if got := Hostname(name); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}
