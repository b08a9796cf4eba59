// SPDX-License-Identifier: Apache-2.0

package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"banger/lib/guest"
	"banger/lib/input"
	"banger/lib/status"
)

// maxScript is the size of the largest script, in bytes.
const maxScript = 1 << 20

// A Script is what a build runs.
type Script struct {
	text    []byte
	command []string // the interpreter, and its argument
}

// ReadScript reads a script. It is refused with status.Bad if it is empty, larger
// than 1 MiB, or has a first line that no kernel can use, and with status.NoInput
// if it is not a regular file.
func ReadScript(file string) (*Script, error) {
	text, err := input.ReadFile(file, maxScript)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, status.Errorf(status.Bad, "%s: empty", file)
	}
	command, err := interpreter(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Script{text, command}, nil
}

// interpreter returns the command that runs a script, without the script's name: that
// of its #! line, split as execve(2) does, or /bin/sh.
func interpreter(text string) ([]string, error) {
	line, _, _ := strings.Cut(text, "\n")
	rest, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return []string{"/bin/sh"}, nil
	}
	if strings.HasSuffix(rest, "\r") {
		return nil, status.Hint(status.Errorf(status.Bad, "the #! line ends in a carriage return"), "convert its line ends, as dos2unix does")
	}
	program, argument, _ := strings.Cut(strings.Trim(strings.ReplaceAll(rest, "\t", " "), " "), " ")
	if !path.IsAbs(program) || !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
		return nil, status.Errorf(status.Bad, "%q: the #! line names no interpreter by its path", line)
	}
	if argument = strings.TrimLeft(argument, " "); argument == "" {
		return []string{program}, nil
	}
	return []string{program, argument}, nil
}

// sum returns the SHA-256 of the script.
func (s *Script) sum() string {
	sum := sha256.Sum256(s.text)
	return hex.EncodeToString(sum[:])
}

// run returns the command that runs the script in a guest.
func (s *Script) run(args []string) []string {
	command := append(s.command[:len(s.command):len(s.command)], guest.ScriptPath)
	return append(command, args...)
}
