// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"

	"banger/lib/tree"
)

// readInode reads an inode and checks its checksum.
func (m *Image) readInode(ino uint32) ([]byte, error) {
	if ino == 0 || ino > m.InodeCount() {
		return nil, fmt.Errorf("inode %d of %d", ino, m.InodeCount())
	}
	g, index := m.groupOf(ino)
	raw := make([]byte, inodeSize)
	if _, err := m.f.ReadAt(raw, m.inodeTable(g)+int64(index)*inodeSize); err != nil {
		return nil, fmt.Errorf("inode %d: %w", ino, short(err))
	}
	if !m.intact(ino, raw) {
		return nil, fmt.Errorf("inode %d does not match its checksum", ino)
	}
	return raw, nil
}

// typeOf returns the type of file an inode is.
func typeOf(raw []byte) (tree.Type, bool) { return tree.TypeOf(uint32(le.Uint16(raw[inMode:]))) }

// sizeOf returns the size of an inode's content in bytes.
func sizeOf(raw []byte) int64 {
	return int64(le.Uint32(raw[inSizeLo:])) | int64(le.Uint32(raw[inSizeHi:]))<<32
}

// newInode makes an inode of what the manifest says of it.
func newInode(n *tree.Inode) []byte {
	raw := make([]byte, inodeSize)
	le.PutUint16(raw[inExtraIsize:], extraIsize)
	le.PutUint16(raw[inLinks:], uint16(n.Nlink))
	setMeta(raw, n)
	return raw
}

// dirLinks is what the links of a directory are kept as: 1 if there are too many
// to count (dir_nlink).
func dirLinks(links int) uint16 {
	if links > tree.MaxLinks {
		return 1
	}
	return uint16(links)
}

// setMeta writes into an inode what the manifest says of it. Content, size,
// number of links and extended attributes stay as they are.
func setMeta(raw []byte, n *tree.Inode) {
	le.PutUint16(raw[inMode:], n.Type.Mode()|n.Mode)
	setOwner(raw, n.UID, n.GID)
	setTimes(raw, n.Sec, n.Nsec)
	if n.Type.Device() || n.Type == tree.Fifo || n.Type == tree.Socket {
		setDevice(raw, n)
	}
}

// metaOf reads what setMeta writes; of the times, the mtime.
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

// deviceOf reads what setDevice writes.
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

// setBlocks writes how many blocks belong to an inode, those of its extent tree
// and its attributes too.
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

// setTimes makes all four times one. The seconds have 34 bits, the upper two
// of them below the nanoseconds; the lower 32 are signed.
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

// setDevice makes a device, fifo or socket of an empty file. Small numbers are
// kept in the old encoding, others in the new one (linux/kdev_t.h).
func setDevice(raw []byte, n *tree.Inode) {
	clear(raw[inBlock : inBlock+60])
	le.PutUint32(raw[inFlags:], le.Uint32(raw[inFlags:])&^flagExtents)
	if n.Major < 256 && n.Minor < 256 {
		le.PutUint32(raw[inBlock:], n.Major<<8|n.Minor)
	} else {
		le.PutUint32(raw[inBlock+4:], n.Minor&0xff|n.Major<<8|n.Minor&^0xff<<12)
	}
}
