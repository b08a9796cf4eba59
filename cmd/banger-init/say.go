// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText is the length in bytes of the longest text for the console or a
// status line.
const maxText = 1000

// say writes one line to the console.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "banger-init: %s\n", printable(fmt.Sprintf(format, args...)))
}

// printable returns a text as one line of at most maxText bytes. What is not
// printable is escaped as in Go: an image must not control the terminal.
func printable(text string) string {
	var b strings.Builder
	for len(text) > 0 && b.Len() < maxText {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case strconv.IsPrint(r):
			b.WriteString(text[:size])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		text = text[size:]
	}
	if len(text) > 0 {
		b.WriteString("...")
	}
	return b.String()
}
