// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// A cmdline is the kernel command line: the last value of each parameter, "" for a
// parameter without a value.
type cmdline map[string]string

// parseCmdline splits a command line as the kernel does (lib/cmdline.c,
// next_arg): at blanks outside double quotes, up to "--".
func parseCmdline(line string) cmdline {
	parsed := cmdline{}
	quoted := false
	for _, word := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && strings.ContainsRune(" \t\n", r)
	}) {
		if word == "--" {
			break
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(word, `"`, ""), "=")
		parsed[name] = value
	}
	return parsed
}

// has reports whether a parameter is given, with or without a value.
func (c cmdline) has(name string) bool {
	_, ok := c[name]
	return ok
}

// or returns the value of a parameter, or fallback.
func (c cmdline) or(name, fallback string) string {
	if value := c[name]; value != "" {
		return value
	}
	return fallback
}
