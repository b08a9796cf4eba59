// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Opening does not block if a file was replaced since stat(2).
func TestOpenFifo(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "p"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for _, name := range []string{"p", "."} {
		if f, err := (entry{in: in, name: name}).open(); err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
		}
	}
}
