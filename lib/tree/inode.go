// SPDX-License-Identifier: Apache-2.0

// Package tree holds a root filesystem in memory. It resolves names inside the
// tree as the kernel does after chroot(2), and never touches the host.
package tree

import "slices"

// A Type is the file type of an inode.
type Type uint8

// The file types.
const (
	File Type = iota
	Dir
	Symlink
	Char
	Block
	Fifo
	Socket
)

// types holds the mtree(5) name and the st_mode bits (inode(7)) of each type.
var types = [...]struct {
	name string
	mode uint16
}{
	File:    {"file", 0o100000},
	Dir:     {"dir", 0o040000},
	Symlink: {"link", 0o120000},
	Char:    {"char", 0o020000},
	Block:   {"block", 0o060000},
	Fifo:    {"fifo", 0o010000},
	Socket:  {"socket", 0o140000},
}

// String returns the name of the type in mtree(5).
func (t Type) String() string { return types[t].name }

// Mode returns the S_IFMT bits of the type.
func (t Type) Mode() uint16 { return types[t].mode }

// ParseType returns the type with the given mtree(5) name.
func ParseType(name string) (Type, bool) {
	for t, info := range types {
		if info.name == name {
			return Type(t), true
		}
	}
	return 0, false
}

// TypeOf returns the type with the S_IFMT bits of mode.
func TypeOf(mode uint32) (Type, bool) {
	for t, info := range types {
		if uint32(info.mode) == mode&0o170000 {
			return Type(t), true
		}
	}
	return 0, false
}

// Device reports whether the type is a device node.
func (t Type) Device() bool { return t == Char || t == Block }

// An Inode holds everything about a file except its names. Hard links share an
// inode; directories have no hard links.
type Inode struct {
	Type         Type
	Mode         uint16 // the low 12 bits: permissions, setuid, setgid, sticky
	UID, GID     uint32
	Sec          int64  // mtime, seconds since 1970
	Nsec         uint32 // and nanoseconds
	Ino          uint32 // inode number in an image, 0 if not assigned
	Major, Minor uint32 // device number
	Size         int64  // of the content, in bytes
	Target       string // symlink target
	Xattrs       []Xattr
	Nlink        int   // number of names; 1 for a directory
	Content      int64 // number the content is stored under, 0 if none
	Blocks       int64 // blocks of the content that are not all zeros
	Runs         int64 // contiguous runs of those blocks

	*directory // nil unless a directory in a tree
}

// A directory holds the fields that only directories need, to keep the inodes of
// files small.
type directory struct {
	entries map[string]*Inode
	parent  *Inode // the root is its own parent
	name    string // in its parent
	depth   int    // number of directories above it
}

// The range of seconds in ext4: 34 bits, from 1901 to 2446.
const (
	MinTime = -1 << 31
	MaxTime = 1<<34 - 1<<31 - 1
)

// SetTime sets the mtime, seconds since 1970 and nanoseconds, clamped to the
// range of ext4, and reports whether it was in range.
func (i *Inode) SetTime(sec int64, nsec uint32) bool {
	i.Sec, i.Nsec = sec, nsec
	if i.Sec >= MinTime && i.Sec <= MaxTime {
		return true
	}
	i.Sec, i.Nsec = min(max(i.Sec, MinTime), MaxTime), 0
	return false
}

// SetMeta copies the metadata of an inode of the same type.
func (i *Inode) SetMeta(from *Inode) {
	i.Mode, i.UID, i.GID = from.Mode, from.UID, from.GID
	i.Sec, i.Nsec, i.Xattrs = from.Sec, from.Nsec, from.Xattrs
}

// SameMeta reports whether two inodes agree in all fields of a manifest.
func SameMeta(a, b *Inode) bool {
	return a.Type == b.Type && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID &&
		a.Sec == b.Sec && a.Nsec == b.Nsec && a.Major == b.Major && a.Minor == b.Minor &&
		a.Size == b.Size && a.Target == b.Target && slices.Equal(a.Xattrs, b.Xattrs)
}
