// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"banger/lib/tree"
)

var errXattr = errors.New("damaged xattrs")

// Xattrs returns the xattrs of the file at path, sorted by name.
func (m *Image) Xattrs(path string) ([]tree.Xattr, error) {
	_, raw, err := m.find(path)
	if err != nil {
		return nil, err
	}
	return m.xattrs(raw)
}

// xattrs returns the xattrs of an inode, sorted by name.
func (m *Image) xattrs(raw []byte) ([]tree.Xattr, error) {
	var all []attribute
	if body := raw[inXattrs:inodeSize]; le.Uint32(body) == xattrMagic {
		var err error
		if all, err = m.attributesIn(body[4:], 0); err != nil {
			return nil, err
		}
	}
	if physical := xattrBlockOf(raw); physical != 0 {
		block, err := m.readXattrBlock(physical)
		if err != nil {
			return nil, err
		}
		more, err := m.attributesIn(block, xbEntries)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	var xattrs []tree.Xattr
	for _, a := range all {
		x, err := fromAttribute(a)
		if err != nil {
			return nil, err
		}
		xattrs = append(xattrs, x)
	}
	slices.SortFunc(xattrs, func(a, b tree.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	return xattrs, nil
}

// xattrBlockOf returns the number of an inode's xattr block, or 0.
func xattrBlockOf(raw []byte) int64 {
	return int64(le.Uint32(raw[inXattrBlock:])) | int64(le.Uint16(raw[inXattrHi:]))<<32
}

// readXattrBlock reads an xattr block and checks its checksum.
func (m *Image) readXattrBlock(physical int64) ([]byte, error) {
	if physical >= m.Blocks() {
		return nil, errXattr
	}
	block := make([]byte, blockSize)
	if _, err := m.f.ReadAt(block, physical*blockSize); err != nil {
		return nil, noEOF(err)
	}
	if le.Uint32(block) != xattrMagic {
		return nil, errXattr
	}
	if le.Uint32(block[xbChecksum:]) != m.xattrChecksum(physical, block) {
		return nil, errors.New("xattr block does not match its checksum")
	}
	return block, nil
}

// attributesIn reads the entries in area from offset at on, up to four zero bytes.
func (m *Image) attributesIn(area []byte, at int) (all []attribute, err error) {
	for {
		if at+4 > len(area) {
			return nil, errXattr
		}
		if le.Uint32(area[at:]) == 0 {
			return all, nil
		}
		e := area[at:]
		if len(e) < xeName || len(e) < xeName+int(e[0]) {
			return nil, errXattr
		}
		a := attribute{index: e[xeIndex], name: string(e[xeName:][:e[0]]), inode: le.Uint32(e[xeInode:])}
		if a.value, err = m.valueOf(area, e, a); err != nil {
			return nil, err
		}
		all = append(all, a)
		at += xeName + pad4(int(e[0]))
	}
}

// valueOf returns the value of an entry, from area or from its EA inode.
func (m *Image) valueOf(area, e []byte, a attribute) (string, error) {
	size, offset := int64(le.Uint32(e[xeValueSize:])), int64(le.Uint16(e[xeOffset:]))
	if size > tree.MaxXattr {
		return "", errXattr
	}
	if a.inode != 0 {
		return m.readEAInode(a.inode, size)
	}
	if size > 0 && offset+size > int64(len(area)) {
		return "", errXattr
	}
	if size == 0 {
		return "", nil
	}
	return string(area[offset : offset+size]), nil
}

// readEAInode returns the value in an EA inode.
func (m *Image) readEAInode(ino uint32, size int64) (string, error) {
	raw, err := m.readInode(ino)
	if err != nil {
		return "", err
	}
	f, err := m.file(ino, raw)
	if err != nil {
		return "", err
	}
	if f.Type != tree.File || le.Uint32(raw[inFlags:])&flagEAInode == 0 || f.Size != size {
		return "", errXattr
	}
	value := make([]byte, size)
	if _, err := f.ReadAt(value, 0); err != nil {
		return "", noEOF(err)
	}
	if m.valueHash(string(value)) != le.Uint32(raw[inAtime:]) {
		return "", fmt.Errorf("EA inode %d does not match its hash", ino)
	}
	return string(value), nil
}

// fromAttribute converts an attribute to the format of getxattr(2).
func fromAttribute(a attribute) (tree.Xattr, error) {
	for _, space := range namespaces {
		if space.index != a.index {
			continue
		}
		x := tree.Xattr{Name: space.prefix + a.name, Value: a.value}
		var err error
		if space.prefix == tree.ACLAccess || space.prefix == tree.ACLDefault {
			x.Value, err = decodeACL(a.value)
		}
		return x, err
	}
	return tree.Xattr{}, fmt.Errorf("xattr %q: unknown namespace %d", a.name, a.index)
}
