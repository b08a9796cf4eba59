// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"

	"banger/lib/guest"
	"banger/lib/tree"
)

// checkLabels checks the labels of an image whose init is to enforce SELinux's
// policy: layers of container images have none, and nothing runs without.
func (c *checker) checkLabels(init string) error {
	if !c.hasSELinux() {
		return nil
	}
	settings, err := c.text("/etc/selinux/config")
	if err != nil || !enforces(settings) {
		return err
	}
	xattrs, err := c.root.Xattrs(init)
	if err != nil || slices.ContainsFunc(xattrs, func(x tree.Xattr) bool { return x.Name == "security.selinux" }) {
		return err
	}
	remedy := "set SELINUX=disabled in the image's /etc/selinux/config"
	if c.config == nil || c.config["SECURITY_SELINUX_BOOTPARAM"] == "y" {
		remedy = "add selinux=0 to the kernel's command line, or " + remedy
	}
	c.report(Warning, "init", remedy, "SELinux is enforcing in the image, and %s has no label", guest.Quote(init))
	return nil
}

// hasSELinux reports whether the kernel may use SELinux, going by its
// configuration: of the modules that exclude each other, the first is used
// (security/security.c).
func (c *checker) hasSELinux() bool {
	order, ok := c.config["LSM"]
	switch {
	case c.config == nil:
		return true
	case c.config["SECURITY_SELINUX"] != "y":
		return false
	case !ok: // before Linux 5.1
		return c.config["DEFAULT_SECURITY_SELINUX"] == "y"
	}
	for name := range strings.SplitSeq(strings.Trim(order, `"`), ",") {
		switch {
		case name == "selinux":
			return true
		case name == "apparmor" && c.config["SECURITY_APPARMOR"] == "y", name == "smack" && c.config["SECURITY_SMACK"] == "y":
			return false
		}
	}
	return false
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
