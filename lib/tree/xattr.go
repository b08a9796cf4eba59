// SPDX-License-Identifier: Apache-2.0

package tree

import "strings"

// An Xattr is one extended attribute, its value as getxattr(2) returns it.
type Xattr struct {
	Name  string // with its namespace, as in security.capability
	Value string
}

// The POSIX ACLs of acl(5), in the form of linux/posix_acl_xattr.h.
const (
	ACLAccess  = "system.posix_acl_access"
	ACLDefault = "system.posix_acl_default"
)

// MaxXattr is the most bytes a value may have (XATTR_SIZE_MAX).
const MaxXattr = 64 << 10

// Settable tells whether setxattr(2) takes a name on a type of file (xattr(7)).
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
