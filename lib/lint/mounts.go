// SPDX-License-Identifier: Apache-2.0

package lint

import "strings"

// checkMounts checks for the usual mount points, and for /tmp.
func (c *checker) checkMounts() error {
	var absent []string
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run"} {
		there, err := c.first(dir)
		if err != nil {
			return err
		}
		if there == "" {
			absent = append(absent, dir)
		}
	}
	if len(absent) > 0 {
		c.report(Warning, "mounts", "create them in the image if it is booted read-only or without banger-init",
			"no %s in the image: only banger-init makes them", strings.Join(absent, ", "))
	}
	tmp, err := c.first("/tmp")
	if err == nil && tmp == "" {
		c.report(Warning, "mounts", "create it in the image, with mode 1777, if a program needs it",
			"no /tmp in the image: banger-init makes none")
	}
	return err
}
