// SPDX-License-Identifier: Apache-2.0

// Package xdg tells where an ordinary user's files live (the XDG Base
// Directory Specification).
package xdg

import (
	"path/filepath"

	"banger/lib/status"
)

// Cache returns the directory of what can be had again.
func Cache(getenv func(string) string) (string, error) {
	return dir(getenv, "XDG_CACHE_HOME", ".cache")
}

// State returns the directory of what is to be kept.
func State(getenv func(string) string) (string, error) {
	return dir(getenv, "XDG_STATE_HOME", ".local/state")
}

// Config returns the directory of what the user has set up.
func Config(getenv func(string) string) (string, error) {
	return dir(getenv, "XDG_CONFIG_HOME", ".config")
}

// dir is banger's own below a variable's. A path that is not absolute is as
// if it were not set, says the specification.
func dir(getenv func(string) string, variable, fallback string) (string, error) {
	base := getenv(variable)
	if !filepath.IsAbs(base) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", status.Errorf(status.Usage, "neither %s nor HOME is set", variable)
		}
		base = filepath.Join(home, fallback)
	}
	return filepath.Join(base, "banger"), nil
}
