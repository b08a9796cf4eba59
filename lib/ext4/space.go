// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// An allocator allocates the free blocks of an image sequentially. Files are split
// only by filesystem metadata, and groups at the end are not touched.
type allocator struct {
	m        *Image
	group    int64
	bits     *bitmap        // block bitmap of the group; nil before the first group
	from, at int64          // allocated part of the current free range, not yet in bits
	end      int64          // end of the current free range
	released map[int64]bool // blocks allocated by mke2fs that are free again
}

// alloc allocates up to count adjacent blocks.
func (a *allocator) alloc(count int64) (first, n int64, err error) {
	for a.at == a.end {
		if err := a.next(); err != nil {
			return 0, 0, err
		}
	}
	first, n = a.at, min(count, a.end-a.at)
	a.at += n
	return first, n, nil
}

// next advances to the next range of free blocks.
func (a *allocator) next() error {
	if a.bits == nil {
		return a.enterGroup(0)
	}
	start, blocks := a.group*a.m.blocksPerGroup(), a.m.groupBlocks(a.group)
	a.mark()
	from := a.bits.next(a.end-start, blocks, false)
	if from < blocks {
		a.from, a.end = start+from, start+a.bits.next(from, blocks, true)
		a.at = a.from
		return nil
	}
	if a.group+1 == a.m.groupCount() {
		return errNoRoom
	}
	if err := a.leaveGroup(); err != nil {
		return err
	}
	return a.enterGroup(a.group + 1)
}

// mark marks the allocated blocks of the current range in the bitmap.
func (a *allocator) mark() {
	start := a.group * a.m.blocksPerGroup()
	a.bits.set(a.from-start, a.at-start)
	a.from = a.at
}

// enterGroup advances to group g.
func (a *allocator) enterGroup(g int64) (err error) {
	if a.bits, err = a.m.blockBitmap(g); err != nil {
		return fmt.Errorf("group %d: %w", g, err)
	}
	start := g * a.m.blocksPerGroup()
	for block := range a.released {
		if i := block - start; i >= 0 && i < a.m.groupBlocks(g) {
			a.bits.clear(i)
		}
	}
	a.group, a.from, a.at, a.end = g, start, start, start
	return nil
}

// leaveGroup writes the bitmap of the current group, if it was changed.
func (a *allocator) leaveGroup() error {
	if a.bits == nil {
		return nil
	}
	a.mark()
	d := a.m.desc(a.group)
	if d.has(gdBlockUninit) && a.bits.countZeros(a.m.groupBlocks(a.group)) == int64(d.u32(gdFreeBlocks)) {
		return nil
	}
	return a.m.writeBlockBitmap(a.group, a.bits)
}
