// SPDX-License-Identifier: Apache-2.0

package ext4

import "errors"

// A groupDesc is a group descriptor.
type groupDesc []byte

// desc returns the descriptor of a group.
func (m *Image) desc(g int64) groupDesc { return m.descs[g*gdSize : (g+1)*gdSize] }

// upper returns the offset of the upper half of a field.
func upper(field int) int {
	if field == gdUnused {
		return 0x32 // the flags at 0x12 have no upper half
	}
	return field + 0x20
}

// block returns a block number, which is stored in two halves of 32 bits.
func (d groupDesc) block(field int) int64 {
	return int64(le.Uint32(d[field:])) | int64(le.Uint32(d[upper(field):]))<<32
}

// u32 returns a number that is stored in two halves of 16 bits.
func (d groupDesc) u32(field int) uint32 {
	return uint32(le.Uint16(d[field:])) | uint32(le.Uint16(d[upper(field):]))<<16
}

func (d groupDesc) setU32(field int, value uint32) {
	le.PutUint16(d[field:], uint16(value))
	le.PutUint16(d[upper(field):], uint16(value>>16))
}

func (d groupDesc) has(flag uint16) bool { return le.Uint16(d[gdFlags:])&flag != 0 }

func (d groupDesc) setFlags(set, cleared uint16) {
	le.PutUint16(d[gdFlags:], le.Uint16(d[gdFlags:])&^cleared|set)
}

// inodeTableOffset returns the offset of a group's inode table in bytes.
func (m *Image) inodeTableOffset(g int64) int64 { return m.desc(g).block(gdInodeTable) * blockSize }

// groupOf returns the group of an inode and its index in the inode table.
func (m *Image) groupOf(ino uint32) (g int64, index uint32) {
	return int64((ino - 1) / m.inodesPerGroup()), (ino - 1) % m.inodesPerGroup()
}

// groupBlocks returns the number of blocks in a group. The last may be short.
func (m *Image) groupBlocks(g int64) int64 {
	return min(m.blocksPerGroup(), m.Blocks()-g*m.blocksPerGroup())
}

// blockBitmap returns the block bitmap of a group. Bits past the end of the group
// are set.
func (m *Image) blockBitmap(g int64) (*bitmap, error) {
	bits, err := m.readBlockBitmap(g)
	if err == nil && bits.countZeros(m.groupBlocks(g)) != int64(m.desc(g).u32(gdFreeBlocks)) {
		return nil, errors.New("block bitmap and descriptor differ in the number of free blocks")
	}
	return bits, err
}

// readBlockBitmap is like blockBitmap but does not check the free block count.
func (m *Image) readBlockBitmap(g int64) (*bitmap, error) {
	bits, d := new(bitmap), m.desc(g)
	if d.has(gdBlockUninit) {
		m.initBlockBitmap(g, bits)
	} else if _, err := m.f.ReadAt(bits[:], d.block(gdBlockBitmap)*blockSize); err != nil {
		return nil, noEOF(err)
	} else if d.u32(gdBlockBitmapCs) != m.bitmapChecksum(bits[:]) {
		return nil, errors.New("block bitmap does not match its checksum")
	}
	return bits, nil
}

// writeBlockBitmap writes the block bitmap of a group and updates its descriptor
// in memory.
func (m *Image) writeBlockBitmap(g int64, bits *bitmap) error {
	d := m.desc(g)
	d.setU32(gdFreeBlocks, uint32(bits.countZeros(m.groupBlocks(g))))
	d.setU32(gdBlockBitmapCs, m.bitmapChecksum(bits[:]))
	d.setFlags(0, gdBlockUninit)
	_, err := m.f.WriteAt(bits[:], d.block(gdBlockBitmap)*blockSize)
	return err
}

// initBlockBitmap computes the block bitmap of a group with BLOCK_UNINIT, like
// ext4_init_block_bitmap in fs/ext4/balloc.c.
func (m *Image) initBlockBitmap(g int64, bits *bitmap) {
	first, blocks := g*m.blocksPerGroup(), m.groupBlocks(g)
	if hasSuper(g) {
		bits.set(0, min(m.superBlocks(), blocks))
	}
	for _, e := range m.groupMetadata(g) {
		at := e.physical - first
		bits.set(min(max(at, 0), blocks), min(max(at+e.count, 0), blocks))
	}
	bits.set(blocks, 8*blockSize)
}

// groupMetadata returns the locations of a group's block bitmap, inode bitmap and
// inode table, which may be in another group (flex_bg).
func (m *Image) groupMetadata(g int64) [3]extent {
	d := m.desc(g)
	return [...]extent{
		{physical: d.block(gdBlockBitmap), count: 1},
		{physical: d.block(gdInodeBitmap), count: 1},
		{physical: d.block(gdInodeTable), count: blocksOf(int64(m.inodesPerGroup()) * inodeSize)},
	}
}

// descBlocks returns the number of blocks of the group descriptors.
func (m *Image) descBlocks() int64 { return blocksOf(m.groupCount() * gdSize) }
