// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// errRange is the error for a number that does not fit into an int64.
var errRange = errors.New("number out of range")

// number parses a numeric field: octal digits after optional spaces and before a
// space or NUL, or, if the first bit is set, big-endian base 256 in two's
// complement (an extension of GNU tar and star). An empty field is 0. With
// errRange, it returns the nearest int64.
func number(field []byte) (int64, error) {
	if field[0]&0x80 != 0 {
		return base256(field)
	}
	digits := strings.TrimLeft(string(field), " \x00")
	if end := strings.IndexAny(digits, " \x00"); end >= 0 {
		digits = digits[:end]
	}
	if digits == "" {
		return 0, nil
	}
	v, err := strconv.ParseUint(digits, 8, 63)
	if err != nil {
		return 0, fmt.Errorf("invalid octal number %q", bytes.TrimRight(field, "\x00"))
	}
	return int64(v), nil
}

// base256 parses a base-256 field. The first bit of the field marks the format,
// the second is the sign.
func base256(field []byte) (int64, error) {
	negative := field[0]&0x40 != 0
	v, fill := int64(0), byte(0)
	first := field[0] & 0x7f
	if negative {
		v, fill, first = -1, 0xff, field[0]|0x80
	}
	for i, c := range field {
		if i == 0 {
			c = first
		}
		if top := byte(v >> 56); top != fill || (v<<8 < 0) != negative {
			return limit(negative), errRange
		}
		v = v<<8 | int64(c)
	}
	return v, nil
}

// limit returns the smallest or largest int64.
func limit(negative bool) int64 {
	if negative {
		return math.MinInt64
	}
	return math.MaxInt64
}

// decimal parses an integer of a pax record.
func decimal(value string) (int64, error) {
	v, err := strconv.ParseInt(value, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return v, errRange
	}
	if err != nil || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("invalid number %q", value)
	}
	return v, nil
}

// timestamp parses seconds since 1970 with an optional fraction, rounded down to
// nanoseconds. Seconds out of range become the nearest int64.
func timestamp(value string) (sec int64, nsec uint32, err error) {
	whole, fraction, _ := strings.Cut(value, ".")
	negative := strings.HasPrefix(whole, "-")
	if whole == "" || whole == "-" {
		whole += "0" // only a fraction
		if fraction == "" {
			return 0, 0, fmt.Errorf("invalid time %q", value)
		}
	}
	sec, err = decimal(whole)
	if strings.Trim(fraction, "0123456789") != "" || err != nil && err != errRange {
		return 0, 0, fmt.Errorf("invalid time %q", value)
	}
	if err == errRange {
		return limit(negative), 0, nil
	}
	digits := (fraction + "000000000")[:9]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	rest := strings.Trim(fraction[min(9, len(fraction)):], "0") != ""
	if !negative {
		return sec, uint32(n), nil
	}
	return floor(sec, int64(n), rest)
}

// floor returns the time n nanoseconds before sec, rounded down: rest reports
// whether further digits follow.
func floor(sec, n int64, rest bool) (int64, uint32, error) {
	if rest {
		n++
	}
	if n > 0 && sec > math.MinInt64 {
		sec, n = sec-1, 1e9-n
	}
	return sec, uint32(n), nil
}
