// SPDX-License-Identifier: Apache-2.0

package ext4

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c updates a checksum. Unlike crc32.Update it does not invert it before and
// after, as in the kernel.
func crc32c(seed uint32, p []byte) uint32 {
	return ^crc32.Update(^seed, castagnoli, p)
}

// inodeSeed returns the initial checksum for an inode, its directory blocks and
// its extent tree.
func (m *Image) inodeSeed(ino, generation uint32) uint32 {
	var b [8]byte
	le.PutUint32(b[:4], ino)
	le.PutUint32(b[4:], generation)
	return crc32c(m.csumSeed, b[:])
}

// inodeChecksum returns the checksum of an inode, computed with the two halves of
// the checksum set to zero.
func (m *Image) inodeChecksum(ino uint32, raw []byte) uint32 {
	var zero [2]byte
	c := m.inodeSeed(ino, le.Uint32(raw[inGeneration:]))
	c = crc32c(c, raw[:inChecksumLo])
	c = crc32c(c, zero[:])
	c = crc32c(c, raw[inChecksumLo+2:inChecksumHi])
	c = crc32c(c, zero[:])
	return crc32c(c, raw[inChecksumHi+2:inodeSize])
}

// setInodeChecksum sets the checksum of an inode.
func (m *Image) setInodeChecksum(ino uint32, raw []byte) {
	c := m.inodeChecksum(ino, raw)
	le.PutUint16(raw[inChecksumLo:], uint16(c))
	le.PutUint16(raw[inChecksumHi:], uint16(c>>16))
}

// inodeChecksumOK reports whether the checksum of an inode matches.
func (m *Image) inodeChecksumOK(ino uint32, raw []byte) bool {
	stored := uint32(le.Uint16(raw[inChecksumLo:])) | uint32(le.Uint16(raw[inChecksumHi:]))<<16
	return stored == m.inodeChecksum(ino, raw)
}

// bitmapChecksum returns the checksum of the used part of a bitmap.
func (m *Image) bitmapChecksum(bits []byte) uint32 { return crc32c(m.csumSeed, bits) }

// groupChecksum returns the checksum of a group descriptor, computed with the
// checksum set to zero.
func (m *Image) groupChecksum(g int64) uint16 {
	var zero [2]byte
	d := m.desc(g)
	c := crc32c(m.csumSeed, le.AppendUint32(nil, uint32(g)))
	c = crc32c(c, d[:gdChecksum])
	c = crc32c(c, zero[:])
	return uint16(crc32c(c, d[gdChecksum+2:]))
}

// dirChecksum returns the checksum of a directory block without its tail.
func (m *Image) dirChecksum(ino, generation uint32, block []byte) uint32 {
	return crc32c(m.inodeSeed(ino, generation), block[:blockSize-tailSize])
}

// indexChecksum returns the checksum of an htree block, whose entries start at
// offset entries. It covers the used entries and the tail, with the checksum set
// to zero.
func (m *Image) indexChecksum(ino, generation uint32, block []byte, entries int) uint32 {
	count := int(le.Uint16(block[entries+2:]))
	c := crc32c(m.inodeSeed(ino, generation), block[:entries+count*indexEntrySize])
	c = crc32c(c, block[blockSize-indexTailSize:blockSize-4])
	return crc32c(c, []byte{0, 0, 0, 0})
}

// extentChecksum returns the checksum of an extent tree block without its tail.
func (m *Image) extentChecksum(ino, generation uint32, block []byte) uint32 {
	return crc32c(m.inodeSeed(ino, generation), block[:extentTail])
}

// xattrChecksum returns the checksum of an xattr block at block number physical.
func (m *Image) xattrChecksum(physical int64, block []byte) uint32 {
	c := crc32c(m.csumSeed, le.AppendUint64(nil, uint64(physical)))
	c = crc32c(c, block[:xbChecksum])
	c = crc32c(c, []byte{0, 0, 0, 0})
	return crc32c(c, block[xbChecksum+4:])
}
