// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"banger/lib/filter"
)

// valued are the options of ssh that take a value, the rest of the word or the
// next word (ssh(1)).
const valued = "BbcDEeFIiJLlmOoPpQRSWw"

// arguments are those of ssh.
type arguments struct {
	options     []string // before the destination
	destination string   // [USER@]MACHINE, "" for none
	rest        []string // options and the command, after the destination
}

// split finds the destination among the arguments of ssh.
func split(args []string) (a arguments, err error) {
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			args = args[1:]
			break
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		words := 1
		at := strings.IndexAny(word, valued)
		switch {
		case at > 0 && word[at] == 'F':
			return a, filter.Usagef("-F: the configuration is that of the machine")
		case at == len(word)-1:
			words = 2
		}
		if words > len(args) {
			return a, filter.Usagef("%s needs a value", word)
		}
		a.options, args = append(a.options, args[:words]...), args[words:]
	}
	if len(args) > 0 {
		a.destination, a.rest = args[0], args[1:]
	}
	return a, nil
}
