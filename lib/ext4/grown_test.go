// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"testing"

	"banger/lib/tree"
)

// A last group that is too small for its metadata is not added.
func TestGrownSize(t *testing.T) {
	s := newSource(t)
	s.add("f", tree.Inode{}, "1")
	const full = 128 << 20 // a group
	m := s.image(Options{Size: full, Free: -1, Created: 1600000000})
	table := int64(m.inodesPerGroup()) * inodeSize
	backup := m.superBlocks() * blockSize // in the second group, not in the third
	for size, want := range map[int64]int64{
		full:                                    full,
		full + blockSize - 1:                    full,
		full + blockSize:                        full,
		full + backup + table + 3*blockSize:     full,
		full + backup + table + 4*blockSize:     full + backup + table + 4*blockSize,
		full + backup + table + 5*blockSize - 1: full + backup + table + 4*blockSize,
		2*full + table + 3*blockSize:            2 * full,
		2*full + table + 4*blockSize:            2*full + table + 4*blockSize,
		4 * full:                                4 * full,
	} {
		if got := m.GrownSize(size); got != want {
			t.Errorf("to %d: %d, not %d", size, got, want)
		}
	}
	if got := m.LargestSize(); got != 1024*full { // what mke2fs reserves
		t.Errorf("the largest is %d", got)
	}
	if m = s.image(small); m.GrownSize(small.Size+blockSize) != small.Size+blockSize {
		t.Errorf("a block more: %d", m.GrownSize(small.Size+blockSize))
	}
}
