// SPDX-License-Identifier: Apache-2.0

// Package retry decides how long and how often a failed request is repeated.
//
// The n-th repetition waits a random time of at most 0.5 s × 2ⁿ⁻¹, and 30 s at
// most. A server's Retry-After is obeyed instead. The repetitions end when the
// time of the Policy has passed since the first failure; a Retry-After beyond it
// ends them at once. Progress of 1 MiB starts both the count and the time anew.
package retry

import (
	"context"
	"math/rand/v2"
	"time"

	"banger/lib/status"
)

const (
	firstWait = time.Second / 2
	maxWait   = 30 * time.Second
	progress  = 1 << 20 // bytes
)

// A Policy says how long a request is repeated.
type Policy struct {
	// For is the time from the first failure, or from the first since the last
	// progress, in which a repetition may begin. Zero means none.
	For time.Duration
}

// Start returns the repetitions of a request that has not failed yet.
func (p Policy) Start() *Tries { return &Tries{policy: p} }

// Tries are the repetitions of one request. They are used by one goroutine.
type Tries struct {
	policy   Policy
	start    time.Time // of the time of the policy, zero without a failure
	failures int
	received int64
}

// Progress counts n more bytes received. At each 1 MiB the count of failures and
// the time start anew.
func (t *Tries) Progress(n int64) {
	if t.received += n; t.received >= progress {
		t.start, t.failures, t.received = time.Time{}, 0, 0
	}
}

// Wait waits before the next repetition of a request that failed with err, which
// is temporary. If the server said when to try again, after is that time from
// now, as of ParseRetryAfter, else 0. Wait returns nil if the request is to be
// repeated. It returns the error of ctx if that ends, and err with the code
// status.Temporary if no repetition may begin in time.
func (t *Tries) Wait(ctx context.Context, err error, after time.Duration) error {
	if t.start.IsZero() {
		t.start = time.Now()
	}
	left := t.policy.For - time.Since(t.start)
	switch {
	case after > 0 && after > left:
		return tooLate(err, after)
	case left <= 0 && t.policy.For > 0:
		return status.Errorf(status.Temporary, "%w (tried for %v)", err, t.policy.For)
	case left <= 0:
		return status.Errorf(status.Temporary, "%w", err)
	}
	wait := after
	if after <= 0 {
		wait = min(t.backoff(), left)
	}
	t.failures++
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// backoff returns a random time up to the limit for the number of failures.
func (t *Tries) backoff() time.Duration {
	limit := maxWait
	if t.failures < 6 { // 0.5 s << 6 is more than maxWait
		limit = firstWait << t.failures
	}
	return rand.N(limit + 1)
}

// tooLate returns err with the time at which the server allows the next request.
func tooLate(err error, after time.Duration) error {
	at := time.Now().Add(after).Format("2006-01-02 15:04:05 MST")
	return status.Hint(status.Errorf(status.Temporary, "%w: the server allows the next request in %v", err, after.Round(time.Second)),
		"run it again at %s", at)
}
