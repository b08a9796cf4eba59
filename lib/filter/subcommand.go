// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"regexp"
	"strings"

	"banger/lib/status"
)

// synonyms are the names that other tools give to subcommands.
var synonyms = map[string]string{"inspect": "show", "remove": "rm", "delete": "rm"}

// words are operands that a shell leaves unchanged.
var words = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*( [A-Za-z0-9][A-Za-z0-9._+-]*)*$`)

// NoCommand returns the error of a subcommand of banger NOUN that does not exist.
// The hint is the command that was meant, or lists all.
func NoCommand(noun, verb string, operands []string, all string) error {
	err := Usagef("%s: no such command", verb)
	instead, ok := synonyms[verb]
	if !ok {
		return status.Hint(err, "banger %s %s", noun, all)
	}
	names := strings.Join(operands, " ")
	if !words.MatchString(names) {
		names = "NAME"
	}
	return status.Hint(err, "banger %s %s %s", noun, instead, names)
}
