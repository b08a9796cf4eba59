// SPDX-License-Identifier: Apache-2.0

package retry

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// maxAfter limits a Retry-After, so that times computed with it do not overflow.
const maxAfter = 365 * 24 * time.Hour

// dates are the three formats of an HTTP date (RFC 9110, section 5.6.7), all in GMT.
var dates = []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

// ParseRetryAfter returns how long after now a server allows the next request,
// according to its header Retry-After: a number of seconds or an HTTP date (RFC
// 9110, section 10.2.3). It returns 0 for a header that is empty or malformed and
// for a date that has passed, and one year at most.
func ParseRetryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 63); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxAfter/time.Second))) * time.Second
	}
	for _, format := range dates {
		if at, err := time.Parse(format, header); err == nil {
			return min(max(at.Sub(now), 0), maxAfter)
		}
	}
	return 0
}
