// SPDX-License-Identifier: Apache-2.0

package guest

import "strings"

// Hostname returns the hostname for the name of an image or a machine: letters,
// digits, dots and hyphens, 63 at most.
func Hostname(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r == '+' {
			return '-'
		}
		return r
	}, name)
	return strings.TrimRight(clean[:min(len(clean), 63)], "-.")
}
