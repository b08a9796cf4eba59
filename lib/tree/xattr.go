// SPDX-License-Identifier: Apache-2.0

package tree

import "strings"

// An Xattr is an extended attribute. The value is as returned by getxattr(2).
type Xattr struct {
	Name  string // with the namespace, as in security.capability
	Value string
}

// Names of POSIX ACLs (acl(5)). The values are in the format of
// linux/posix_acl_xattr.h.
const (
	ACLAccess  = "system.posix_acl_access"
	ACLDefault = "system.posix_acl_default"
)

// MaxXattr is the maximum size of a value, in bytes (XATTR_SIZE_MAX).
const MaxXattr = 64 << 10

// Settable reports whether setxattr(2) accepts a name on a file type (xattr(7)).
func Settable(t Type, name string) bool {
	space, rest, _ := strings.Cut(name, ".")
	if len(name) > maxName || rest == "" || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	switch space {
	case "trusted", "security":
		return true
	case "user":
		return t == File || t == Dir
	}
	return t != Symlink && name == ACLAccess || t == Dir && name == ACLDefault
}
