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

// Xattrs are stored in the inode, after a magic number, or in an xattr block,
// after a header: the entries, four zero bytes, and the values from the end
// backwards (struct ext4_xattr_ibody_header, ext4_xattr_header, ext4_xattr_entry
// in fs/ext4/xattr.h). A large value is the content of an EA inode (ea_inode).
const (
	xattrMagic     = 0xea020000
	xattrRoom      = inodeSize - inXattrs - 4 // space in the inode for entries, zero bytes and values
	xattrBlockRoom = blockSize - xbEntries    // space in an xattr block

	// An entry: name length, namespace, value offset, EA inode, value size, hash,
	// name.
	xeIndex     = 1
	xeOffset    = 2
	xeInode     = 4
	xeValueSize = 8
	xeHash      = 12
	xeName      = 16

	// The header of an xattr block.
	xbRefcount   = 4 // number of inodes that share the block
	xbBlocks     = 8 // 1
	xbHash       = 12
	xbChecksum   = 16
	xbEntries    = 32
	maxXattrRefs = 1024 // EXT4_XATTR_REFCOUNT_MAX
)

// namespaces are the prefixes of names that are stored as a number. ACLs have no
// other name.
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

// An attribute is an xattr in the format of ext4.
type attribute struct {
	index byte
	name  string
	value string
	inode uint32 // EA inode, or 0
}

// attributes converts xattrs to the format and order of ext4.
func attributes(xattrs []tree.Xattr) ([]attribute, error) {
	var all []attribute
	for _, x := range xattrs {
		a, err := toAttribute(x)
		if err != nil {
			return nil, fmt.Errorf("xattr %q: %w", x.Name, err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, compareAttributes)
	return all, nil
}

// compareAttributes orders attributes as the kernel does.
func compareAttributes(a, b attribute) int {
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
	return attribute{}, errors.New("namespace not supported by ext4")
}

func pad4(n int) int { return (n + 3) &^ 3 }

// size returns the size of an attribute's entry and value in bytes.
func (a attribute) size() int {
	if a.inode != 0 {
		return xeName + pad4(len(a.name))
	}
	return xeName + pad4(len(a.name)) + pad4(len(a.value))
}

// xattrSize returns the size of attributes with the zero bytes after them.
func xattrSize(all []attribute) int {
	size := 4
	for _, a := range all {
		size += a.size()
	}
	return size
}

// fillXattrs writes attributes into area, which must be zeros: entries from
// offset at on, values from the end backwards.
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

// setXattrs replaces the xattrs in an inode.
func (m *Image) setXattrs(raw []byte, all []attribute) {
	clear(raw[inXattrs:inodeSize])
	if len(all) == 0 {
		return
	}
	le.PutUint32(raw[inXattrs:], xattrMagic)
	m.fillXattrs(raw[inXattrs+4:inodeSize], 0, all, false)
}

// xattrBlock returns an xattr block without reference count and checksum, which
// depends on the block number.
func (m *Image) xattrBlock(all []attribute) []byte {
	block := make([]byte, blockSize)
	le.PutUint32(block, xattrMagic)
	le.PutUint32(block[xbBlocks:], 1)
	m.fillXattrs(block, xbEntries, all, true)
	hash := uint32(0)
	for _, a := range all {
		h := m.hashOf(a)
		if h == 0 { // the kernel does not share such a block
			hash = 0
			break
		}
		hash = hash<<16 ^ hash>>16 ^ h
	}
	le.PutUint32(block[xbHash:], hash)
	return block
}

// hashOf returns the hash of an attribute over its name, as signed chars, and the
// words of its value, or the value's hash if it is in an EA inode
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

// valueHash returns the hash of a value in an EA inode.
func (m *Image) valueHash(value string) uint32 { return crc32c(m.csumSeed, []byte(value)) }
