// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// CheckPlace returns an error if the path of a blob exists and is neither a
// regular file nor a symlink to one. A rename cannot replace a directory, and
// banger replaces no other file that it did not make.
func (w *Writer) CheckPlace(d digest.Digest) error {
	path, err := w.blobPath(d)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err != nil {
		return nil // does not exist; other errors recur on writing
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return nil
	}
	return hintRemove(status.Errorf(status.Create, "%s: not a regular file, in the place of a blob", path), path)
}

// hintRemove adds the command that removes path as a hint.
func hintRemove(err error, path string) error {
	command := "rm "
	if info, e := os.Lstat(path); e == nil && info.IsDir() {
		command = "rm -r "
	}
	return status.Hint(err, "%s", command+shellWord(path))
}

// shellWord quotes a text that is not one word to a shell.
func shellWord(path string) string {
	if strings.IndexFunc(path, isSpecial) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func isSpecial(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r))
}
