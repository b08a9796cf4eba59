// SPDX-License-Identifier: Apache-2.0

package build

import (
	"os"
	"path/filepath"
	"testing"
)

// A build removes the log that was there when it began, and not that of another build
// that has failed meanwhile.
func TestOldLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	keep := func(text string) {
		t.Helper()
		l := new(log)
		l.Write([]byte(text))
		if err := l.keep(path); err != nil {
			t.Fatal(err)
		}
	}
	content := func() string {
		text, _ := os.ReadFile(path)
		return string(text)
	}
	none := findOldLog(path)
	none.remove()
	keep("first")
	none.remove()
	first := findOldLog(path)
	if got := content(); got != "first" {
		t.Errorf("a log that was not there before: %q", got)
	}
	keep("second")
	first.remove()
	if got := content(); got != "second" {
		t.Errorf("a log that was put there meanwhile: %q", got)
	}
	findOldLog(path).remove()
	if _, err := os.Lstat(path); err == nil {
		t.Error("an old log is left")
	}
}
