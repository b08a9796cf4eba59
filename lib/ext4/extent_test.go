// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"slices"
	"testing"
)

// Adjacent extents are merged up to the maximum length.
func TestExtentList(t *testing.T) {
	for _, c := range []struct{ add, want []extent }{
		{[]extent{{0, 100, 1}, {1, 101, 2}}, []extent{{0, 100, 3}}},
		{[]extent{{0, 100, 1}, {2, 101, 2}}, []extent{{0, 100, 1}, {2, 101, 2}}},
		{[]extent{{0, 100, 1}, {1, 102, 2}}, []extent{{0, 100, 1}, {1, 102, 2}}},
		{[]extent{{0, 100, maxExtentLen}, {maxExtentLen, 100 + maxExtentLen, 1}},
			[]extent{{0, 100, maxExtentLen}, {maxExtentLen, 100 + maxExtentLen, 1}}},
		{[]extent{{0, 100, maxExtentLen - 1}, {maxExtentLen - 1, 99 + maxExtentLen, 2 + maxExtentLen}},
			[]extent{{0, 100, maxExtentLen}, {maxExtentLen, 100 + maxExtentLen, maxExtentLen},
				{2 * maxExtentLen, 100 + 2*maxExtentLen, 1}}},
	} {
		var got extentList
		for _, e := range c.add {
			got.add(e)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.add, got, c.want)
		}
	}
}

// Extent trees of any depth are read back, and extentBlocks counts their blocks.
func TestExtentTree(t *testing.T) {
	s := newSource(t)
	m := s.image(Options{Size: 8 << 30, Free: -1, Created: 1})
	for _, count := range []int{0, 1, inodeExtents, inodeExtents + 1, blockExtents, blockExtents + 1,
		inodeExtents * blockExtents, inodeExtents*blockExtents + 1, inodeExtents*blockExtents*blockExtents + 1} {
		var list extentList
		for i := range int64(count) {
			list.add(extent{2 * i, 1000 + 2*i, 1})
		}
		raw := make([]byte, inodeSize)
		le.PutUint32(raw[inFlags:], flagExtents)
		next, blocks := m.Blocks(), int64(0)
		err := list.writeTree(m, 12, raw[inBlock:inBlock+60], func(node []byte) (int64, error) {
			next, blocks = next-1, blocks+1
			_, err := m.f.WriteAt(node, next*blockSize)
			return next, err
		})
		if err != nil {
			t.Fatal(err)
		}
		var got extentList
		err = m.visitExtents(12, raw, func(e extent) error {
			got = append(got, e)
			return nil
		})
		if err != nil || !slices.Equal(got, list) || blocks != extentBlocks(int64(count)) {
			t.Errorf("%d extents: %d read, %d blocks, %d expected, %v", count, len(got), blocks, extentBlocks(int64(count)), err)
		}
	}
}
