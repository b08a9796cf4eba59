// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strings"
	"testing"
)

// Each name may lead through long symlinks, but the steps of a layer full of such
// names are limited.
func TestSteps(t *testing.T) {
	tree := New(Inode{})
	tree.Root.Put("l", &Inode{Type: Symlink, Target: strings.Repeat("../", MaxTarget/3)}, nil)
	for range maxSteps / (MaxTarget / 3) {
		if _, err := tree.Dir([]string{"l"}, nil); err != nil {
			t.Fatalf("after %d steps: %v", tree.steps, err)
		}
	}
	if _, err := tree.Dir([]string{"l"}, nil); err == nil {
		t.Errorf("no end after %d steps", tree.steps)
	}
}
