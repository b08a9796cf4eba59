// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// CheckPlace returns an error if what has the name of a blob is neither a file
// nor a symlink to one. A blob cannot take the name from a directory, and does
// not take it from anything else that somebody has put there.
func (w *Writer) CheckPlace(d digest.Digest) error {
	path, err := w.blobPath(d)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err != nil {
		return nil // nothing is there; of anything else, writing will tell
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return nil
	}
	return hintRemove(status.Errorf(status.Create, "%s: not a file, and in the place of a blob", path), path)
}

// hintRemove adds the command that removes what is no file.
func hintRemove(err error, path string) error {
	command := "rm "
	if info, e := os.Lstat(path); e == nil && info.IsDir() {
		command = "rm -r "
	}
	return status.Hint(err, "%s", command+shellWord(path))
}

// shellWord quotes a path that a shell would take for more than one word.
func shellWord(path string) string {
	if strings.IndexFunc(path, isSpecial) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func isSpecial(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r))
}
