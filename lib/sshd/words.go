// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"fmt"
	"strings"
)

// splitWords splits a command line into words and removes quotes, as sh does
// (POSIX.1-2024, Shell Command Language, 2.2 and 2.6.7). It refuses what takes a
// shell: operators, expansions, patterns, comments, assignments.
func splitWords(line string) ([]string, error) {
	s := splitter{rest: line}
	for {
		word, ok, err := s.word()
		switch {
		case err != nil:
			return nil, err
		case ok:
			s.words = append(s.words, word)
		case len(s.words) == 0:
			return nil, errors.New("there is no command")
		default:
			return s.words, nil
		}
	}
}

// A splitter holds what is not split yet.
type splitter struct {
	rest  string
	words []string
}

// special are the characters that mean something to a shell outside quotes;
// atStart are those that do at the start of a word.
const (
	special = "|&;<>()$`*?[\n"
	atStart = "#~"
)

// word returns the next word, if there is one.
func (s *splitter) word() (word string, ok bool, err error) {
	s.blanks()
	if s.rest == "" {
		return "", false, nil
	}
	if strings.IndexByte(atStart, s.rest[0]) >= 0 {
		return "", false, needsShell(s.rest[0])
	}
	var text strings.Builder
	unquoted := true // so far
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == ' ' || c == '\t' || c == '\n' && s.atEnd():
			return text.String(), true, nil
		case strings.IndexByte(special, c) >= 0 || c == 0:
			return "", false, needsShell(c)
		case c == '=' && unquoted && len(s.words) == 0 && isName(text.String()):
			return "", false, fmt.Errorf("to assign %s takes one", text.String())
		case c == '\'', c == '"', c == '\\':
			part, err := s.quoted(c)
			if err != nil {
				return "", false, err
			}
			text.WriteString(part)
			unquoted = false
		default:
			text.WriteByte(c)
		}
	}
	return text.String(), true, nil
}

// blanks skips blanks, ends of lines that are quoted, and empty lines.
func (s *splitter) blanks() {
	blank := " \t"
	if len(s.words) == 0 || s.atEnd() {
		blank += "\n"
	}
	for before := -1; before != len(s.rest); {
		before = len(s.rest)
		s.rest = strings.TrimPrefix(strings.TrimLeft(s.rest, blank), "\\\n")
	}
}

// atEnd reports whether no more than empty lines follow.
func (s *splitter) atEnd() bool { return strings.Trim(s.rest, " \t\n") == "" }

// quoted returns the text after an opening quote, and skips the closing one.
func (s *splitter) quoted(quote byte) (string, error) {
	switch quote {
	case '\\':
		text := s.escaped()
		return text, noNUL(text)
	case '\'':
		text, rest, ok := strings.Cut(s.rest, "'")
		if !ok {
			return "", errors.New("a quote is not closed")
		}
		s.rest = rest
		return text, noNUL(text)
	}
	var text strings.Builder
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return text.String(), noNUL(text.String())
		case c == '$' || c == '`':
			return "", needsShell(c)
		case c == '\\' && s.rest != "" && strings.IndexByte("$`\"\\\n", s.rest[0]) >= 0:
			text.WriteString(s.escaped())
		default:
			text.WriteByte(c)
		}
	}
	return "", errors.New("a quote is not closed")
}

// escaped returns the character after a backslash: none if that ends a line.
func (s *splitter) escaped() string {
	if s.rest == "" {
		return "\\"
	}
	c := s.rest[:1]
	s.rest = s.rest[1:]
	if c == "\n" {
		return ""
	}
	return c
}

func needsShell(c byte) error {
	return fmt.Errorf("%q takes one, unless it is quoted", c)
}

// noNUL refuses what no argument can hold.
func noNUL(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return errors.New("the command has a NUL byte")
	}
	return nil
}

// isName reports whether a text is a name that sh could assign to.
func isName(text string) bool {
	for i, c := range text {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}
