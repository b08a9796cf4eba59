// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"banger/lib/status"
)

// gnuTar returns an archive of two files by tar(1). It skips the test if there is
// no tar.
func gnuTar(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 3000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("tar", "--blocking-factor=1", "-cC", dir, "a", "b").Output()
	switch {
	case err == nil:
		return out
	case os.Getenv("CI") == "true":
		t.Fatalf("tar: %v", err)
	default:
		t.Skipf("tar: %v", err)
	}
	return nil
}

// A tar truncated at any block is an error, even between two entries: it must end
// with two blocks of zeros.
func TestEnd(t *testing.T) {
	whole := gnuTar(t)
	for at := 0; at < len(whole); at += 512 {
		dir, err := unpack(t, whole[:at])
		if status.Of(err) != status.Bad {
			t.Errorf("cut to %d of %d bytes: status %d, %v", at, len(whole), status.Of(err), err)
		}
		if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 0 {
			t.Errorf("cut to %d of %d bytes: left %v", at, len(whole), left)
		}
	}
	if _, err := unpack(t, whole); err != nil {
		t.Errorf("whole: %v", err)
	}
	if _, err := unpack(t, append(whole, "garbage"...)); err != nil {
		t.Errorf("data after the end: %v", err)
	}
}

// Each compression is read to its end, where some readers return io.EOF twice.
func TestCompressions(t *testing.T) {
	for _, program := range []string{"gzip", "xz", "zstd", "lz4", "bzip2"} {
		t.Run(program, func(t *testing.T) {
			dir, err := unpack(t, compress(t, tarOf(t, usual...), program))
			if err != nil {
				t.Fatal(err)
			}
			if got := found(t, dir); got != usualFound {
				t.Errorf("%s", got)
			}
		})
	}
}
