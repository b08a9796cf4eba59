// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestBounds: the compiler inserts no bounds checks in the fast loop and the
// functions inlined into it.
func TestBounds(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-d=ssa/check_bce/debug=1", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if found := regexp.MustCompile(`(?m)^.*\b(fast|buffer)\.go:.*$`).FindAll(out, -1); len(found) > 0 {
		t.Errorf("bounds checks:\n%s", found)
	}
	if !regexp.MustCompile(`\bcodes\.go:\d+:\d+: Found Is`).Match(out) {
		t.Errorf("the compiler reports no bounds checks elsewhere:\n%s", out)
	}
}
