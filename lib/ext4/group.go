// SPDX-License-Identifier: Apache-2.0

package ext4

import "errors"

// A group is a group's descriptor.
type group []byte

// group returns the descriptor of a group.
func (m *Image) group(g int64) group { return m.groups[g*gdSize : (g+1)*gdSize] }

// upper is where the upper half of a field is.
func upper(field int) int {
	if field == gdUnused {
		return 0x32 // as the flags, 0x12, have none
	}
	return field + 0x20
}

// block returns a field that is the number of a block.
func (d group) block(field int) int64 {
	return int64(le.Uint32(d[field:])) | int64(le.Uint32(d[upper(field):]))<<32
}

// half returns a field of 16 bits and 16 more.
func (d group) half(field int) uint32 {
	return uint32(le.Uint16(d[field:])) | uint32(le.Uint16(d[upper(field):]))<<16
}

func (d group) setHalf(field int, value uint32) {
	le.PutUint16(d[field:], uint16(value))
	le.PutUint16(d[upper(field):], uint16(value>>16))
}

func (d group) has(flag uint16) bool { return le.Uint16(d[gdFlags:])&flag != 0 }

func (d group) setFlags(set, cleared uint16) {
	le.PutUint16(d[gdFlags:], le.Uint16(d[gdFlags:])&^cleared|set)
}

// inodeTable returns the byte at which a group's inodes start.
func (m *Image) inodeTable(g int64) int64 { return m.group(g).block(gdInodeTable) * blockSize }

// groupOf returns the group that has an inode, and its place in the table.
func (m *Image) groupOf(ino uint32) (g int64, index uint32) {
	return int64((ino - 1) / m.inodesPerGroup()), (ino - 1) % m.inodesPerGroup()
}

// groupBlocks returns how many blocks a group has: the last may be short.
func (m *Image) groupBlocks(g int64) int64 {
	return min(m.blocksPerGroup(), m.Blocks()-g*m.blocksPerGroup())
}

// blockBitmap reads which blocks of a group are in use: ones also where there is
// no block.
func (m *Image) blockBitmap(g int64) (*bitmap, error) {
	bits, err := m.readBlockBitmap(g)
	if err == nil && bits.zeros(m.groupBlocks(g)) != int64(m.group(g).half(gdFreeBlocks)) {
		return nil, errors.New("the block bitmap does not have as many free blocks as the descriptor")
	}
	return bits, err
}

// readBlockBitmap leaves the descriptor's count to its caller.
func (m *Image) readBlockBitmap(g int64) (*bitmap, error) {
	bits, d := new(bitmap), m.group(g)
	if d.has(gdBlockUninit) {
		m.initBlockBitmap(g, bits)
	} else if _, err := m.f.ReadAt(bits[:], d.block(gdBlockBitmap)*blockSize); err != nil {
		return nil, short(err)
	} else if d.half(gdBlockBitmapCs) != m.bitmapChecksum(bits[:]) {
		return nil, errors.New("the block bitmap does not match its checksum")
	}
	return bits, nil
}

// writeBlockBitmap writes which blocks of a group are in use, and into its
// descriptor how many are free. The descriptor itself is left to its caller.
func (m *Image) writeBlockBitmap(g int64, bits *bitmap) error {
	d := m.group(g)
	d.setHalf(gdFreeBlocks, uint32(bits.zeros(m.groupBlocks(g))))
	d.setHalf(gdBlockBitmapCs, m.bitmapChecksum(bits[:]))
	d.setFlags(0, gdBlockUninit)
	_, err := m.f.WriteAt(bits[:], d.block(gdBlockBitmap)*blockSize)
	return err
}

// initBlockBitmap marks what is in use in a group whose bitmap was never
// written, as ext4_init_block_bitmap (fs/ext4/balloc.c) has it.
func (m *Image) initBlockBitmap(g int64, bits *bitmap) {
	first, blocks := g*m.blocksPerGroup(), m.groupBlocks(g)
	if hasBackup(g) {
		bits.set(0, min(m.copyBlocks(), blocks))
	}
	for _, e := range m.parts(g) {
		at := e.physical - first
		bits.set(min(max(at, 0), blocks), min(max(at+e.count, 0), blocks))
	}
	bits.set(blocks, 8*blockSize)
}

// parts returns where a group's two bitmaps and its inodes lie, maybe in another
// group (flex_bg).
func (m *Image) parts(g int64) [3]extent {
	d := m.group(g)
	return [...]extent{
		{physical: d.block(gdBlockBitmap), count: 1},
		{physical: d.block(gdInodeBitmap), count: 1},
		{physical: d.block(gdInodeTable), count: blocksOf(int64(m.inodesPerGroup()) * inodeSize)},
	}
}

// descBlocks returns how many blocks the descriptors take.
func (m *Image) descBlocks() int64 { return blocksOf(m.groupCount() * gdSize) }
