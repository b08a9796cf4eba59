// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// buildHere builds the program in the subdirectory name, where every user can
// run it, and returns its path.
func buildHere(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(filepath.Dir(bin), name)
	output(b, exec.Command("go", "build", "-o", path, "./"+name))
	return path
}
