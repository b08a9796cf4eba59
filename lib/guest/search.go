// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"iter"
	"path"
	"path/filepath"
	"strings"
)

// UsualPath is the PATH of a command whose image sets none.
const UsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// SearchPath returns the last PATH of an environment, UsualPath if it has none.
func SearchPath(env []string) string {
	search := UsualPath
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			search = value
		}
	}
	return search
}

// maxCommand is the length in bytes of the longest path (PATH_MAX).
const maxCommand = 4096 - 1

// Candidates returns the paths at which a command is looked for, in order, as
// execvp(3) does it: seen from a directory, and in each directory of a PATH if it
// has no slash. There are none for a command that is too long for a path.
func Candidates(command, dir, search string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(command) > maxCommand {
			return
		}
		in := []string{""}
		if !strings.Contains(command, "/") {
			in = filepath.SplitList(search)
		}
		for _, d := range in {
			candidate := path.Join(d, command)
			if d == "" {
				candidate = command
			}
			if !path.IsAbs(candidate) {
				candidate = path.Join("/", dir, candidate)
			}
			if !yield(candidate) {
				return
			}
		}
	}
}

// lookIn returns the path of a program, found by the PATH of an environment if
// its name has no slash; the name itself if it is not found.
func lookIn(root Root, program string, env []string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	for candidate := range Candidates(program, "/", SearchPath(env)) {
		if there, err := isProgram(root, candidate); there || err != nil {
			return candidate, err
		}
	}
	return program, nil
}
