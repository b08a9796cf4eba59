// SPDX-License-Identifier: Apache-2.0

package ext4

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c goes on from a checksum. Unlike Go's, the kernel's has no inversion
// before and after.
func crc32c(seed uint32, p []byte) uint32 {
	return ^crc32.Update(^seed, castagnoli, p)
}

// seed starts the checksum of an inode and of what belongs to it.
func (m *Image) seed(ino, generation uint32) uint32 {
	var b [8]byte
	le.PutUint32(b[:4], ino)
	le.PutUint32(b[4:], generation)
	return crc32c(m.csumSeed, b[:])
}

// inodeChecksum is over the inode with its checksum's two halves zero.
func (m *Image) inodeChecksum(ino uint32, raw []byte) uint32 {
	var zero [2]byte
	c := m.seed(ino, le.Uint32(raw[inGeneration:]))
	c = crc32c(c, raw[:inChecksumLo])
	c = crc32c(c, zero[:])
	c = crc32c(c, raw[inChecksumLo+2:inChecksumHi])
	c = crc32c(c, zero[:])
	return crc32c(c, raw[inChecksumHi+2:inodeSize])
}

// sealInode writes an inode's checksum into it.
func (m *Image) sealInode(ino uint32, raw []byte) {
	c := m.inodeChecksum(ino, raw)
	le.PutUint16(raw[inChecksumLo:], uint16(c))
	le.PutUint16(raw[inChecksumHi:], uint16(c>>16))
}

// intact reports whether an inode has the checksum that it says.
func (m *Image) intact(ino uint32, raw []byte) bool {
	said := uint32(le.Uint16(raw[inChecksumLo:])) | uint32(le.Uint16(raw[inChecksumHi:]))<<16
	return said == m.inodeChecksum(ino, raw)
}

// bitmapChecksum is that of a bitmap, or of as much of one as is used.
func (m *Image) bitmapChecksum(bits []byte) uint32 { return crc32c(m.csumSeed, bits) }

// groupChecksum is that of a descriptor, without the field that holds it.
func (m *Image) groupChecksum(g int64) uint16 {
	var zero [2]byte
	d := m.group(g)
	c := crc32c(m.csumSeed, le.AppendUint32(nil, uint32(g)))
	c = crc32c(c, d[:gdChecksum])
	c = crc32c(c, zero[:])
	return uint16(crc32c(c, d[gdChecksum+2:]))
}

// dirChecksum is that of a directory block, up to its tail.
func (m *Image) dirChecksum(ino, generation uint32, block []byte) uint32 {
	return crc32c(m.seed(ino, generation), block[:blockSize-tailSize])
}

// indexChecksum is that of a block of a directory's index, whose entries start
// at a byte: it covers what is used of them, and the tail without itself.
func (m *Image) indexChecksum(ino, generation uint32, block []byte, entries int) uint32 {
	count := int(le.Uint16(block[entries+2:]))
	c := crc32c(m.seed(ino, generation), block[:entries+count*indexEntrySize])
	c = crc32c(c, block[blockSize-indexTailSize:blockSize-4])
	return crc32c(c, []byte{0, 0, 0, 0})
}

// extentChecksum is that of a block of an extent tree, up to its tail.
func (m *Image) extentChecksum(ino, generation uint32, block []byte) uint32 {
	return crc32c(m.seed(ino, generation), block[:extentTail])
}

// xattrChecksum is that of a block of extended attributes.
func (m *Image) xattrChecksum(physical int64, block []byte) uint32 {
	c := crc32c(m.csumSeed, le.AppendUint64(nil, uint64(physical)))
	c = crc32c(c, block[:xbChecksum])
	c = crc32c(c, []byte{0, 0, 0, 0})
	return crc32c(c, block[xbChecksum+4:])
}
