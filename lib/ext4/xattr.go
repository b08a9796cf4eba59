// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"banger/lib/tree"
)

// Extended attributes are in the inode, after a magic number, or in a block of
// their own, after a header: entries one after the other, four zero bytes, and
// the values from the end backwards (struct ext4_xattr_ibody_header,
// ext4_xattr_header, ext4_xattr_entry; fs/ext4/xattr.h). A value may be the
// content of an inode of its own instead (ea_inode).
const (
	xattrMagic = 0xea020000
	xattrRoom  = inodeSize - inXattrs - 4 // in the inode, for entries, the zero bytes and values
	blockRoom  = blockSize - xbEntries    // in a block

	// an entry: length of the name, namespace, offset of the value, inode of
	// the value, size of the value, hash, name
	xeIndex     = 1
	xeOffset    = 2
	xeInode     = 4
	xeValueSize = 8
	xeHash      = 12
	xeName      = 16

	// a block
	xbRefcount   = 4 // inodes that share it
	xbBlocks     = 8 // 1
	xbHash       = 12
	xbChecksum   = 16
	xbEntries    = 32
	maxXattrRefs = 1024 // EXT4_XATTR_REFCOUNT_MAX
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
	inode uint32 // that has the value, or 0
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
	slices.SortFunc(all, inOrder)
	return all, nil
}

// inOrder compares attributes as the kernel does that looks for one.
func inOrder(a, b attribute) int {
	return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
}

func toAttribute(x tree.Xattr) (attribute, error) {
	for _, space := range namespaces {
		rest, ok := strings.CutPrefix(x.Name, space.prefix)
		if !ok || strings.HasSuffix(space.prefix, ".") == (rest == "") {
			continue
		}
		a := attribute{index: space.index, name: rest, value: x.Value}
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

// size is how many bytes an attribute takes beside others.
func (a attribute) size() int {
	if a.inode != 0 {
		return xeName + pad4(len(a.name))
	}
	return xeName + pad4(len(a.name)) + pad4(len(a.value))
}

// room returns how many bytes attributes take, with the zeros after them.
func room(all []attribute) int {
	size := 4
	for _, a := range all {
		size += a.size()
	}
	return size
}

// fillXattrs writes attributes into an area of zeros, the first entry at a
// byte, values from the end. Offsets count from the area's start.
func (m *Image) fillXattrs(area []byte, at int, all []attribute, hashed bool) {
	end := len(area)
	for _, a := range all {
		e := area[at:]
		e[0], e[xeIndex] = byte(len(a.name)), a.index
		le.PutUint32(e[xeValueSize:], uint32(len(a.value)))
		le.PutUint32(e[xeInode:], a.inode)
		copy(e[xeName:], a.name)
		if a.inode == 0 && len(a.value) > 0 {
			end -= pad4(len(a.value))
			copy(area[end:], a.value)
			le.PutUint16(e[xeOffset:], uint16(end))
		}
		if hashed || a.inode != 0 {
			le.PutUint32(e[xeHash:], m.hashOf(a))
		}
		at += xeName + pad4(len(a.name))
	}
}

// setXattrs writes extended attributes into an inode, in place of any it has.
func (m *Image) setXattrs(raw []byte, all []attribute) {
	clear(raw[inXattrs:inodeSize])
	if len(all) == 0 {
		return
	}
	le.PutUint32(raw[inXattrs:], xattrMagic)
	m.fillXattrs(raw[inXattrs+4:inodeSize], 0, all, false)
}

// xattrBlock makes a block of attributes, but for the number of inodes that
// share it, and the checksum, which is where it lies as well.
func (m *Image) xattrBlock(all []attribute) []byte {
	block := make([]byte, blockSize)
	le.PutUint32(block, xattrMagic)
	le.PutUint32(block[xbBlocks:], 1)
	m.fillXattrs(block, xbEntries, all, true)
	hash := uint32(0)
	for _, a := range all {
		h := m.hashOf(a)
		if h == 0 { // as the kernel has it: not to be shared any further
			hash = 0
			break
		}
		hash = hash<<16 ^ hash>>16 ^ h
	}
	le.PutUint32(block[xbHash:], hash)
	return block
}

// hashOf is an attribute's hash, over its name, whose bytes are signed chars,
// and the words of its value, or the value's checksum if it has an inode
// (ext4_xattr_hash_entry in fs/ext4/xattr.c).
func (m *Image) hashOf(a attribute) (hash uint32) {
	for i := range len(a.name) {
		hash = hash<<5 ^ hash>>27 ^ uint32(int8(a.name[i]))
	}
	words := bytes.Join([][]byte{[]byte(a.value), {0, 0, 0}}, nil)
	words = words[:pad4(len(a.value))]
	if a.inode != 0 {
		words = le.AppendUint32(nil, m.valueHash(a.value))
	}
	for ; len(words) > 0; words = words[4:] {
		hash = hash<<16 ^ hash>>16 ^ le.Uint32(words)
	}
	return hash
}

// valueHash is what the inode of a value keeps of it.
func (m *Image) valueHash(value string) uint32 { return crc32c(m.csumSeed, []byte(value)) }
