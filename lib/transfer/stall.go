// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"io"
	"time"
)

// leastRate is the rate below which a body is stalled, in bytes a second.
const leastRate = 1 << 10

// A Stall limits how slowly a body may be read. Only the time in Read counts, not that
// of a slow disk. It is used by one goroutine.
type Stall struct {
	after time.Duration
	timer *time.Timer
	left  time.Duration // in Read until it is stalled, unless enough bytes arrive
	bytes int64         // that have arrived
}

// NewStall returns a Stall that calls end, which must make Read return, if less than
// 1 KiB a second arrives for the duration after.
func NewStall(after time.Duration, end func()) *Stall {
	s := &Stall{after: after, timer: time.AfterFunc(after, end), left: after}
	s.timer.Stop()
	return s
}

// Read reads from r.
func (s *Stall) Read(r io.Reader, p []byte) (int, error) {
	start := time.Now()
	s.timer.Reset(s.left)
	n, err := r.Read(p)
	s.timer.Stop()
	s.left -= time.Since(start)
	if s.bytes += int64(n); s.bytes >= int64(leastRate*s.after.Seconds()) {
		s.left, s.bytes = s.after, 0
	}
	return n, err
}
