// SPDX-License-Identifier: Apache-2.0

package ext4

// GrownSize returns the size in bytes that Linux grows the filesystem to if its disk
// gets size bytes. It drops a last group that has no room for its metadata
// (ext4_resize_fs in fs/ext4/resize.c).
func (m *Image) GrownSize(size int64) int64 {
	blocks := size / blockSize
	last := (blocks - 1) / m.blocksPerGroup()
	least := int64(m.inodesPerGroup())*inodeSize/blockSize + 4 // two bitmaps, and more than one block is to be left
	if hasSuper(last) {
		least += m.superBlocks()
	}
	if first := last * m.blocksPerGroup(); blocks-first < least {
		blocks = first
	}
	return max(blocks, m.Blocks()) * blockSize
}

// LargestSize returns the size in bytes that the filesystem can grow to with the
// descriptor blocks that are reserved. Beyond that Linux adds the feature meta_bg.
func (m *Image) LargestSize() int64 {
	return (m.descBlocks() + m.reservedBlocks()) * (blockSize / gdSize) * m.blocksPerGroup() * blockSize
}
