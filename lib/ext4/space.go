// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// A space allocates the free blocks of an image sequentially. Files are split only
// by filesystem metadata, and groups at the end are not touched.
type space struct {
	m        *Image
	group    int64
	bits     *bitmap        // block bitmap of the group; nil before the first group
	from, at int64          // allocated part of the current free range, not yet in bits
	end      int64          // end of the current free range
	released map[int64]bool // blocks allocated by mke2fs that are free again
}

// take allocates up to count adjacent blocks.
func (s *space) take(count int64) (first, n int64, err error) {
	for s.at == s.end {
		if err := s.next(); err != nil {
			return 0, 0, err
		}
	}
	first, n = s.at, min(count, s.end-s.at)
	s.at += n
	return first, n, nil
}

// next advances to the next range of free blocks.
func (s *space) next() error {
	if s.bits == nil {
		return s.open(0)
	}
	start, blocks := s.group*s.m.blocksPerGroup(), s.m.groupBlocks(s.group)
	s.mark()
	from := s.bits.next(s.end-start, blocks, false)
	if from < blocks {
		s.from, s.end = start+from, start+s.bits.next(from, blocks, true)
		s.at = s.from
		return nil
	}
	if s.group+1 == s.m.groupCount() {
		return errNoRoom
	}
	if err := s.close(); err != nil {
		return err
	}
	return s.open(s.group + 1)
}

// mark marks the allocated blocks of the current range in the bitmap.
func (s *space) mark() {
	start := s.group * s.m.blocksPerGroup()
	s.bits.set(s.from-start, s.at-start)
	s.from = s.at
}

// open advances to group g.
func (s *space) open(g int64) (err error) {
	if s.bits, err = s.m.blockBitmap(g); err != nil {
		return fmt.Errorf("group %d: %w", g, err)
	}
	start := g * s.m.blocksPerGroup()
	for block := range s.released {
		if i := block - start; i >= 0 && i < s.m.groupBlocks(g) {
			s.bits.clear(i)
		}
	}
	s.group, s.from, s.at, s.end = g, start, start, start
	return nil
}

// close writes the bitmap of the current group, if it was changed.
func (s *space) close() error {
	if s.bits == nil {
		return nil
	}
	s.mark()
	d := s.m.desc(s.group)
	if d.has(gdBlockUninit) && s.bits.countZeros(s.m.groupBlocks(s.group)) == int64(d.u32(gdFreeBlocks)) {
		return nil
	}
	return s.m.writeBlockBitmap(s.group, s.bits)
}
