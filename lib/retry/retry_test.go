// SPDX-License-Identifier: Apache-2.0

package retry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"banger/lib/status"
)

var errDown = errors.New("server is down")

// The waits grow, are limited, and end with the time of the policy.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := Policy{For: 5 * time.Minute}.Start()
		var err error
		n, limit := 0, firstWait
		for ; ; n++ {
			before := time.Now()
			if err = tries.Wait(t.Context(), errDown, 0); err != nil {
				break
			}
			if took := time.Since(before); took > limit {
				t.Errorf("wait %d took %v, limit %v", n, took, limit)
			}
			limit = min(2*limit, maxWait)
		}
		if took := time.Since(start); took != 5*time.Minute || n < 12 {
			t.Errorf("%d repetitions in %v", n, took)
		}
		if !errors.Is(err, errDown) || status.Of(err) != status.Temporary || err.Error() != "server is down (tried for 5m0s)" {
			t.Error(err)
		}
	})
}

// Progress starts the count and the time anew.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := Policy{For: time.Minute}.Start()
		for range 100 {
			if err := tries.Wait(t.Context(), errDown, 30*time.Second); err != nil {
				t.Fatal(err)
			}
			tries.Progress(progress / 2)
			tries.Progress(progress / 2)
			if tries.failures != 0 {
				t.Fatal("not anew")
			}
		}
		tries.Progress(progress - 1)
		for range 2 {
			if err := tries.Wait(t.Context(), errDown, 30*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if err := tries.Wait(t.Context(), errDown, 0); err == nil || time.Since(start) != 51*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A Retry-After is obeyed exactly, or ends the tries at once.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := Policy{For: time.Minute}.Start()
		if err := tries.Wait(t.Context(), errDown, time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		err := Policy{For: time.Minute}.Start().Wait(t.Context(), errDown, time.Minute+time.Second)
		if status.Of(err) != status.Temporary || err.Error() != "server is down: the server allows the next request in 1m1s" {
			t.Error(err)
		}
		if hint := status.HintOf(err); !strings.HasPrefix(hint, "run it again at 2000-01-01 00:02:01 ") {
			t.Error(hint)
		}
		if time.Since(start) != time.Minute {
			t.Error("waited")
		}
	})
}

// Without time there is no repetition. The time begins with the first failure, however
// long the request has waited before. The end of a context ends a wait.
func TestNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := (Policy{}).Start().Wait(t.Context(), errDown, 0); status.Of(err) != status.Temporary || err.Error() != "server is down" {
			t.Error(err)
		}
		late := Policy{For: time.Minute}.Start()
		time.Sleep(2 * time.Minute)
		if err := late.Wait(t.Context(), errDown, 59*time.Second); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := late.Wait(t.Context(), errDown, 0); err == nil || err.Error() != "server is down (tried for 1m0s)" {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := Policy{For: time.Hour}.Start().Wait(ctx, errDown, time.Minute)
		if err != context.DeadlineExceeded || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(1994, 11, 6, 8, 49, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                               0,
		"soon":                           0,
		"-5":                             0,
		"1.5":                            0,
		"0":                              0,
		" 120 ":                          2 * time.Minute,
		"99999999999999999999999":        maxAfter,
		"9223372036854775807":            maxAfter,
		"Sun, 06 Nov 1994 08:49:37 GMT":  37 * time.Second,
		"Sunday, 06-Nov-94 08:49:37 GMT": 37 * time.Second,
		"Sun Nov  6 08:49:37 1994":       37 * time.Second,
		"Sun, 06 Nov 1994 08:48:37 GMT":  0,
		"Sun, 06 Nov 2094 08:49:37 GMT":  maxAfter,
		"Sun, 06 Nov 1994 08:49:37 CET":  0,
	} {
		if got := ParseRetryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
