// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"errors"
	"strings"
)

// plain reports whether a byte is written unescaped.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("._/,@%+-", c) >= 0
}

// Escape writes every byte that is not plain as a backslash and three octal
// digits, as vis(3) does.
func Escape(s string) string {
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return string(b)
}

var errEscape = errors.New("backslash without three octal digits")

// unescape reverses Escape. It accepts unescaped bytes that Escape would escape:
// manifests may be edited by hand.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		if len(s) < i+4 {
			return "", errEscape
		}
		v := 0
		for _, c := range []byte(s[i+1 : i+4]) {
			if c < '0' || c > '7' {
				return "", errEscape
			}
			v = v<<3 | int(c-'0')
		}
		if v > 255 {
			return "", errEscape
		}
		b = append(b, byte(v))
		i += 3
	}
	return string(b), nil
}
