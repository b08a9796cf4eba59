// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// buildHere builds the program of that name in this directory, where other users
// find it too.
func buildHere(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(filepath.Dir(bin), name)
	output(b, exec.Command("go", "build", "-o", path, "./"+name))
	return path
}
