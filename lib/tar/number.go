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

// errRange says that a number is more than an int64 holds.
var errRange = errors.New("a number past 64 bits")

// number reads a field: octal digits, with spaces before them and a space or a
// NUL after; or, with the first bit set, big-endian base 256 in two's complement
// (GNU's and star's extension). Nothing at all is 0. With errRange comes the
// nearest that an int64 holds.
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
		return 0, fmt.Errorf("%q is no octal number", bytes.TrimRight(field, "\x00"))
	}
	return int64(v), nil
}

// base256 reads a field's bytes as one number. The first byte's second bit is
// the sign, as its first only marks the form.
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

// limit is the last number that an int64 holds.
func limit(negative bool) int64 {
	if negative {
		return math.MinInt64
	}
	return math.MaxInt64
}

// decimal reads a whole number as pax records have them.
func decimal(value string) (int64, error) {
	v, err := strconv.ParseInt(value, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return v, errRange
	}
	if err != nil || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("%q is no number", value)
	}
	return v, nil
}

// timestamp reads seconds since 1970 and a fraction, of which nanoseconds are
// kept: the time rounded down. Past what an int64 holds it is the last it does.
func timestamp(value string) (sec int64, nsec uint32, err error) {
	whole, fraction, _ := strings.Cut(value, ".")
	negative := strings.HasPrefix(whole, "-")
	if whole == "" || whole == "-" {
		whole += "0" // a mere fraction
		if fraction == "" {
			return 0, 0, fmt.Errorf("%q is no time", value)
		}
	}
	sec, err = decimal(whole)
	if strings.Trim(fraction, "0123456789") != "" || err != nil && err != errRange {
		return 0, 0, fmt.Errorf("%q is no time", value)
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
	return below(sec, int64(n), rest)
}

// below is a time before 1970, n nanoseconds before sec; and a little more, if
// there were digits after them.
func below(sec, n int64, rest bool) (int64, uint32, error) {
	if rest {
		n++
	}
	if n > 0 && sec > math.MinInt64 {
		sec, n = sec-1, 1e9-n
	}
	return sec, uint32(n), nil
}
