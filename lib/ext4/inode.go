// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"

	"banger/lib/tree"
)

// readInode reads an inode and checks its checksum.
func (m *Image) readInode(ino uint32) ([]byte, error) {
	if ino == 0 || ino > m.InodeCount() {
		return nil, fmt.Errorf("inode %d does not exist (%d inodes)", ino, m.InodeCount())
	}
	g, index := m.groupOf(ino)
	raw := make([]byte, inodeSize)
	if _, err := m.f.ReadAt(raw, m.inodeTableOffset(g)+int64(index)*inodeSize); err != nil {
		return nil, fmt.Errorf("inode %d: %w", ino, noEOF(err))
	}
	if !m.inodeChecksumOK(ino, raw) {
		return nil, fmt.Errorf("inode %d does not match its checksum", ino)
	}
	return raw, nil
}

// typeOf returns the file type of an inode.
func typeOf(raw []byte) (tree.Type, bool) { return tree.TypeOf(uint32(le.Uint16(raw[inMode:]))) }

// sizeOf returns the size of an inode in bytes.
func sizeOf(raw []byte) int64 {
	return int64(le.Uint32(raw[inSizeLo:])) | int64(le.Uint32(raw[inSizeHi:]))<<32
}

// newInode returns an inode with the metadata of n.
func newInode(n *tree.Inode) []byte {
	raw := make([]byte, inodeSize)
	le.PutUint16(raw[inExtraIsize:], extraIsize)
	le.PutUint16(raw[inLinks:], uint16(n.Nlink))
	setMeta(raw, n)
	return raw
}

// dirLinks returns the link count to store for a directory: 1 if there are more
// links than the field can count (dir_nlink).
func dirLinks(links int) uint16 {
	if links > tree.MaxLinks {
		return 1
	}
	return uint16(links)
}

// setMeta sets mode, owner, times and device of an inode.
func setMeta(raw []byte, n *tree.Inode) {
	le.PutUint16(raw[inMode:], n.Type.Mode()|n.Mode)
	setOwner(raw, n.UID, n.GID)
	setTimes(raw, n.Sec, n.Nsec)
	if n.Type.Device() || n.Type == tree.Fifo || n.Type == tree.Socket {
		setDevice(raw, n)
	}
}

// metaOf returns mode, owner and mtime of an inode.
func metaOf(raw []byte) *tree.Inode {
	extra := le.Uint32(raw[inMtimeExtra:])
	return &tree.Inode{
		Mode: le.Uint16(raw[inMode:]) & 0o7777,
		UID:  uint32(le.Uint16(raw[inUID:])) | uint32(le.Uint16(raw[inUIDHi:]))<<16,
		GID:  uint32(le.Uint16(raw[inGID:])) | uint32(le.Uint16(raw[inGIDHi:]))<<16,
		Sec:  int64(int32(le.Uint32(raw[inMtime:]))) + int64(extra&3)<<32,
		Nsec: extra >> 2,
	}
}

// deviceOf returns the device number of an inode.
func deviceOf(raw []byte) (major, minor uint32) {
	if old := le.Uint32(raw[inBlock:]); old != 0 {
		return old >> 8 & 0xff, old & 0xff
	}
	dev := le.Uint32(raw[inBlock+4:])
	return dev >> 8 & 0xfff, dev&0xff | dev>>12&0xfff00
}

func setSize(raw []byte, size int64) {
	le.PutUint32(raw[inSizeLo:], uint32(size))
	le.PutUint32(raw[inSizeHi:], uint32(size>>32))
}

// setBlocks sets the block count of an inode, which includes its extent tree and
// xattrs.
func setBlocks(raw []byte, blocks int64) {
	le.PutUint32(raw[inBlocks:], uint32(blocks*(blockSize/512)))
	le.PutUint16(raw[inBlocksHi:], uint16(blocks*(blockSize/512)>>32))
}

func setOwner(raw []byte, uid, gid uint32) {
	le.PutUint16(raw[inUID:], uint16(uid))
	le.PutUint16(raw[inUIDHi:], uint16(uid>>16))
	le.PutUint16(raw[inGID:], uint16(gid))
	le.PutUint16(raw[inGIDHi:], uint16(gid>>16))
}

// setTimes sets all four times. Seconds have 34 bits: the lower 32, which are
// signed, and two below the nanoseconds in the extra field.
func setTimes(raw []byte, sec int64, nsec uint32) {
	low := uint32(sec)
	extra := uint32((sec-int64(int32(low)))>>32)&3 | nsec<<2
	for _, field := range []int{inAtime, inCtime, inMtime, inCrtime} {
		le.PutUint32(raw[field:], low)
	}
	for _, field := range []int{inAtimeExtra, inCtimeExtra, inMtimeExtra, inCrtimeEx} {
		le.PutUint32(raw[field:], extra)
	}
}

// setDevice sets the device number of an inode, which is 0 for fifos and sockets.
// Small numbers have the old encoding, others the new one (linux/kdev_t.h).
func setDevice(raw []byte, n *tree.Inode) {
	clear(raw[inBlock : inBlock+60])
	le.PutUint32(raw[inFlags:], le.Uint32(raw[inFlags:])&^flagExtents)
	if n.Major < 256 && n.Minor < 256 {
		le.PutUint32(raw[inBlock:], n.Major<<8|n.Minor)
	} else {
		le.PutUint32(raw[inBlock+4:], n.Minor&0xff|n.Major<<8|n.Minor&^0xff<<12)
	}
}
