// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestInitSize holds the size of banger-init, which is in memory in each machine
// until the root filesystem is entered.
func TestInitSize(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		atMost(t, filepath.Join(bin, "../libexec/banger", arch, "banger-init"), 8<<20)
	}
}

// atMost checks the size of a file.
func atMost(t testing.TB, path string, limit int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > limit {
		t.Errorf("%s: %d bytes, limit %d", path, info.Size(), limit)
	}
}
