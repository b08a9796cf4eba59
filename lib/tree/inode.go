// SPDX-License-Identifier: Apache-2.0

// Package tree holds a root filesystem in memory: inodes, the names directories
// give them, and names resolved inside the tree as a kernel would resolve them
// after chroot(2). Nothing in it touches the host.
package tree

import "slices"

// A Type is what kind of file an inode is.
type Type uint8

// The types, in no particular order.
const (
	File Type = iota
	Dir
	Symlink
	Char
	Block
	Fifo
	Socket
)

// kinds gives each type its word in mtree(5) and its bits of inode(7)'s st_mode.
var kinds = [...]struct {
	word string
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

func (t Type) String() string { return kinds[t].word }

// Mode returns the S_IFMT bits of the type.
func (t Type) Mode() uint16 { return kinds[t].mode }

// ParseType returns the type that has a word in mtree(5).
func ParseType(word string) (Type, bool) {
	for t, kind := range kinds {
		if kind.word == word {
			return Type(t), true
		}
	}
	return 0, false
}

// TypeOf returns the type that has the S_IFMT bits of a mode.
func TypeOf(mode uint32) (Type, bool) {
	for t, kind := range kinds {
		if uint32(kind.mode) == mode&0o170000 {
			return Type(t), true
		}
	}
	return 0, false
}

// Device reports whether the type is a device node.
func (t Type) Device() bool { return t == Char || t == Block }

// An Inode is everything about a file but its names. Several names may share
// one, unless it is a directory.
type Inode struct {
	Type         Type
	Mode         uint16 // the low 12 bits: permissions, setuid, setgid, sticky
	UID, GID     uint32
	Sec          int64  // mtime, seconds since 1970
	Nsec         uint32 // and nanoseconds
	Ino          uint32 // its number in an image, once it has one
	Major, Minor uint32 // of a device
	Size         int64  // of a file's content, in bytes
	Target       string // of a symlink, byte for byte
	Xattrs       []Xattr
	Nlink        int   // how many names it has; a directory's is 1
	Content      int64 // the number its content is kept under, of a file that has any
	Blocks       int64 // blocks of its content that are not all zeros
	Runs         int64 // stretches that those blocks form

	*directory // of one that has a place in a tree
}

// A directory is what only directories have: there are many more files.
type directory struct {
	entries map[string]*Inode
	parent  *Inode // the root's is itself
	name    string // in its parent
	depth   int    // how many directories are above it
}

// The seconds that ext4 can hold: 34 bits of them, from 1901 to 2446.
const (
	MinTime = -1 << 31
	MaxTime = 1<<34 - 1<<31 - 1
)

// SetTime sets the mtime, seconds since 1970 and nanoseconds, clamped to what
// ext4 can hold, and tells whether it could.
func (i *Inode) SetTime(sec int64, nsec uint32) bool {
	i.Sec, i.Nsec = sec, nsec
	if i.Sec >= MinTime && i.Sec <= MaxTime {
		return true
	}
	i.Sec, i.Nsec = min(max(i.Sec, MinTime), MaxTime), 0
	return false
}

// SetMeta takes over the metadata of an inode of the same type.
func (i *Inode) SetMeta(from *Inode) {
	i.Mode, i.UID, i.GID = from.Mode, from.UID, from.GID
	i.Sec, i.Nsec, i.Xattrs = from.Sec, from.Nsec, from.Xattrs
}

// SameMeta reports whether two inodes say the same in all that a manifest says.
func SameMeta(a, b *Inode) bool {
	return a.Type == b.Type && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID &&
		a.Sec == b.Sec && a.Nsec == b.Nsec && a.Major == b.Major && a.Minor == b.Minor &&
		a.Size == b.Size && a.Target == b.Target && slices.Equal(a.Xattrs, b.Xattrs)
}
