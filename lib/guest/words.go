// SPDX-License-Identifier: Apache-2.0

package guest

import "strings"

// Words returns words as one line that a shell reads as these words.
func Words(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}

// Quote returns a word as a shell reads it: in quotes if it holds other than the
// usual characters.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, unusual) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func unusual(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("_./:=,+@%-", r)
}
