// SPDX-License-Identifier: Apache-2.0

package filter

import "runtime/debug"

// Version is the version of all tools.
const Version = "0.1.0"

// version returns what --version prints: the version, and the commit if the
// build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Version
	}
	if c := commit(info.Settings); c != "" {
		return Version + " (" + c + ")"
	}
	return Version
}

// commit returns the first digits of the commit that was built, with "-dirty"
// if files differed from it; "" if it is not recorded.
func commit(settings []debug.BuildSetting) string {
	const digits = 12
	var revision, suffix string
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(digits, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				suffix = "-dirty"
			}
		}
	}
	if revision == "" {
		return ""
	}
	return revision + suffix
}
