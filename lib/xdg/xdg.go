// SPDX-License-Identifier: Apache-2.0

// Package xdg returns banger's directories according to the XDG Base Directory
// Specification.
package xdg

import (
	"fmt"
	"os"
	"path/filepath"

	"banger/lib/status"
)

// Cache returns the OCI image layout of images that can be fetched again.
func Cache(getenv func(string) string) (string, error) {
	base, err := dir(getenv, "XDG_CACHE_HOME", ".cache")
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "oci"), nil
}

// IsCache reports whether a directory is that of Cache, under any path.
func IsCache(getenv func(string) string, dir string) bool {
	cache, err := Cache(getenv)
	if err != nil {
		return false
	}
	a, err1 := os.Stat(dir)
	b, err2 := os.Stat(cache)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// State returns the directory of files that must be kept.
func State(getenv func(string) string) (string, error) {
	return dir(getenv, "XDG_STATE_HOME", ".local/state")
}

// Config returns the directory of the user's configuration.
func Config(getenv func(string) string) (string, error) {
	return dir(getenv, "XDG_CONFIG_HOME", ".config")
}

// Runtime returns the directory for files of running machines. On a host without
// a runtime directory for the user, it is below that of State.
func Runtime(getenv func(string) string, uid int) (string, error) {
	if base := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) {
		return filepath.Join(base, "banger"), nil
	}
	usual := fmt.Sprintf("/run/user/%d", uid) // as systemd-logind makes it
	if info, err := os.Stat(usual); err == nil && info.IsDir() {
		return filepath.Join(usual, "banger"), nil
	}
	state, err := State(getenv)
	return filepath.Join(state, "machines"), err
}

// Temp returns the directory for copies of disks, an absolute path. The default is
// not /tmp, which may be in memory.
func Temp(getenv func(string) string) (string, error) {
	base := getenv("TMPDIR")
	if base == "" {
		base = "/var/tmp"
	}
	return filepath.Abs(base)
}

// dir returns banger's directory below that of a variable. The specification
// ignores a path that is not absolute.
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
