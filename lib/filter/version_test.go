// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"runtime/debug"
	"testing"
)

// The commit is named where the build recorded it.
func TestCommit(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	for want, settings := range map[string][]debug.BuildSetting{
		"":                   {{Key: "GOOS", Value: "linux"}, {Key: "vcs.modified", Value: "true"}},
		"0123456789ab":       {revision, {Key: "vcs.modified", Value: "false"}},
		"0123456789ab-dirty": {revision, {Key: "vcs.modified", Value: "true"}},
		"abc":                {{Key: "vcs.revision", Value: "abc"}},
	} {
		if got := commit(settings); got != want {
			t.Errorf("%v: %q, want %q", settings, got, want)
		}
	}
}
