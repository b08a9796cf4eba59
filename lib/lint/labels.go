// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"

	"banger/lib/tree"
)

// checkLabels checks the labels of an image whose init is to enforce SELinux's
// policy: layers of container images have none, and nothing runs without.
func (c *checker) checkLabels(init string) error {
	if c.config != nil && c.config["SECURITY_SELINUX"] != "y" {
		return nil
	}
	settings, err := c.text("/etc/selinux/config")
	if err != nil || !enforces(settings) {
		return err
	}
	xattrs, err := c.root.Xattrs(init)
	if err == nil && !slices.ContainsFunc(xattrs, func(x tree.Xattr) bool { return x.Name == "security.selinux" }) {
		c.report(Warning, "init", "add selinux=0 to the kernel's command line, or set SELINUX=disabled in the image's /etc/selinux/config",
			"SELinux is enforcing in the image, and %s has no label", init)
	}
	return err
}

// enforces reports whether the settings of SELinux say enforcing (selinux(8)). The
// first line that has a value counts.
func enforces(settings string) bool {
	for line := range strings.Lines(settings) {
		if value, ok := strings.CutPrefix(line, "SELINUX="); ok {
			return strings.HasPrefix(strings.ToLower(value), "enforcing")
		}
	}
	return false
}
