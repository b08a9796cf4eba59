// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"banger/lib/tree"
)

// Extended attributes in the inode: a magic number, entries one after the
// other, four zero bytes, and the values from the end backwards (struct
// ext4_xattr_ibody_header, ext4_xattr_entry; fs/ext4/xattr.h).
const (
	xattrMagic = 0xea020000
	xattrRoom  = inodeSize - inXattrs - 4 // for entries, the zero bytes and values
	entrySize  = 16                       // of an entry without its name
)

// namespaces are the prefixes that are kept as a number; the ACLs have no more
// name than that.
var namespaces = []struct {
	prefix string
	index  byte
}{
	{"user.", 1},
	{tree.ACLAccess, 2},
	{tree.ACLDefault, 3},
	{"trusted.", 4},
	{"security.", 6},
}

// An attribute is an xattr as ext4 keeps it.
type attribute struct {
	index byte
	name  string
	value string
}

// attributes turns xattrs into ext4's own form, in ext4's order.
func attributes(xattrs []tree.Xattr) ([]attribute, error) {
	var all []attribute
	for _, x := range xattrs {
		a, err := toAttribute(x)
		if err != nil {
			return nil, fmt.Errorf("xattr %q: %w", x.Name, err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b attribute) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
	})
	return all, nil
}

func toAttribute(x tree.Xattr) (attribute, error) {
	for _, space := range namespaces {
		rest, ok := strings.CutPrefix(x.Name, space.prefix)
		if !ok || strings.HasSuffix(space.prefix, ".") == (rest == "") {
			continue
		}
		a := attribute{space.index, rest, x.Value}
		if space.prefix == tree.ACLAccess || space.prefix == tree.ACLDefault {
			var err error
			a.value, err = encodeACL(x.Value)
			return a, err
		}
		return a, nil
	}
	return attribute{}, errors.New("ext4 has no such namespace")
}

func pad4(n int) int { return (n + 3) &^ 3 }

// room returns how many bytes of the inode attributes take.
func room(all []attribute) int {
	if len(all) == 0 {
		return 0
	}
	size := 4
	for _, a := range all {
		size += entrySize + pad4(len(a.name)) + pad4(len(a.value))
	}
	return size
}

// setXattrs writes extended attributes into an inode, in place of any it has.
func setXattrs(raw []byte, xattrs []tree.Xattr) error {
	clear(raw[inXattrs:inodeSize])
	all, err := attributes(xattrs)
	if err != nil || len(all) == 0 {
		return err
	}
	if size := room(all); size > xattrRoom {
		return fmt.Errorf("xattrs of %d bytes, where the inode holds %d", size, xattrRoom)
	}
	le.PutUint32(raw[inXattrs:], xattrMagic)
	body := raw[inXattrs+4 : inodeSize] // value offsets count from here
	at, end := 0, len(body)
	for _, a := range all {
		end -= pad4(len(a.value))
		copy(body[end:], a.value)
		e := body[at:]
		e[0], e[1] = byte(len(a.name)), a.index
		if len(a.value) > 0 {
			le.PutUint16(e[2:], uint16(end))
		}
		le.PutUint32(e[8:], uint32(len(a.value)))
		copy(e[entrySize:], a.name)
		at += entrySize + pad4(len(a.name))
	}
	return nil
}
