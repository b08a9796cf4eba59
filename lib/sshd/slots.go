// SPDX-License-Identifier: Apache-2.0

package sshd

import "context"

// A slots limits how many of something there are at a time: it holds one element
// for each.
type slots chan struct{}

// take takes a slot, if one is free.
func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait takes a slot once one is free. It reports false if ctx is done before.
func (s slots) wait(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s slots) release() { <-s }
