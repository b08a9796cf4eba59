// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// A space is the free blocks of an image, handed out once, from the first to
// the last: whatever is written one after the other lies one behind the other,
// and the groups at the end are never touched. Files are split only where
// something of the filesystem's own lies in the way.
type space struct {
	m        *Image
	group    int64
	bits     *bitmap // of the group; nil before the first
	from, at int64   // the stretch at hand, in blocks of the image: handed out up to at
	end      int64
	released map[int64]bool // blocks of mke2fs's that are free again
}

// take hands out up to count blocks that follow one another.
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

// next goes on to the next stretch of free blocks, maybe in another group.
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

// mark enters what was handed out of the stretch at hand into the bitmap.
func (s *space) mark() {
	start := s.group * s.m.blocksPerGroup()
	s.bits.set(s.from-start, s.at-start)
	s.from = s.at
}

// open goes on to a group.
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

// close writes the bitmap of the group at hand, if there is anything in it that
// there was not.
func (s *space) close() error {
	if s.bits == nil {
		return nil
	}
	s.mark()
	d := s.m.group(s.group)
	if d.has(gdBlockUninit) && s.bits.zeros(s.m.groupBlocks(s.group)) == int64(d.half(gdFreeBlocks)) {
		return nil
	}
	return s.m.writeBlockBitmap(s.group, s.bits)
}
