// SPDX-License-Identifier: Apache-2.0

package ext4

import "errors"

// POSIX ACLs. System calls use version 2 with entries of eight bytes
// (linux/posix_acl_xattr.h). ext4 stores version 1, in which only entries for a
// named user or group have an id (fs/ext4/acl.h).
const (
	posixACLVersion = 2
	ext4ACLVersion  = 1
	aclUser         = 0x02 // ACL_USER: a named user
	aclGroup        = 0x08 // ACL_GROUP: a named group
)

var errACL = errors.New("malformed ACL")

// encodeACL converts an ACL from the format of the system calls to that of ext4.
func encodeACL(value string) (string, error) {
	v := []byte(value)
	if len(v) < 4 || (len(v)-4)%8 != 0 || le.Uint32(v) != posixACLVersion {
		return "", errACL
	}
	out := le.AppendUint32(nil, ext4ACLVersion)
	for e := v[4:]; len(e) > 0; e = e[8:] {
		out = append(out, e[:4]...) // tag and permissions
		if tag := le.Uint16(e); tag == aclUser || tag == aclGroup {
			out = append(out, e[4:8]...)
		}
	}
	return string(out), nil
}

// NormalizeACL returns an ACL in the format of the system calls as ext4 would
// return it: without ids in entries that need none. It returns an invalid ACL
// unchanged.
func NormalizeACL(value string) string {
	stored, err := encodeACL(value)
	if err != nil {
		return value
	}
	kept, _ := decodeACL(stored) // valid, as encodeACL made it
	return kept
}

// decodeACL converts an ACL from the format of ext4 to that of the system calls.
func decodeACL(value string) (string, error) {
	v := []byte(value)
	if len(v) < 4 || le.Uint32(v) != ext4ACLVersion {
		return "", errACL
	}
	out := le.AppendUint32(nil, posixACLVersion)
	for e := v[4:]; len(e) > 0; {
		if len(e) < 4 {
			return "", errACL
		}
		size := 4
		if tag := le.Uint16(e); tag == aclUser || tag == aclGroup {
			size = 8
		}
		if len(e) < size {
			return "", errACL
		}
		out = append(out, e[:4]...)
		if size == 8 {
			out = append(out, e[4:8]...)
		} else {
			out = le.AppendUint32(out, 0xffffffff) // ACL_UNDEFINED_ID
		}
		e = e[size:]
	}
	return string(out), nil
}
