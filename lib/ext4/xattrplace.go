// SPDX-License-Identifier: Apache-2.0

package ext4

import "errors"

// A placement distributes the xattrs of an inode: to the inode while they fit, the
// others to an xattr block. If that is too small, the largest values go to EA
// inodes.
type placement struct {
	inode, block []attribute
	large        []*attribute // those in block with an EA inode
}

// placeAttributes places sorted attributes. EA inodes are numbered from next.
func placeAttributes(all []attribute, next uint32) (p placement, err error) {
	left := xattrRoom - xattrSize(nil)
	for _, a := range all {
		if a.size() <= left {
			p.inode, left = append(p.inode, a), left-a.size()
		} else {
			p.block = append(p.block, a)
		}
	}
	for len(p.block) > 0 && xattrSize(p.block) > xattrBlockRoom {
		largest := &p.block[0]
		for i := range p.block {
			if a := &p.block[i]; largest.inode != 0 || a.inode == 0 && len(a.value) > len(largest.value) {
				largest = a
			}
		}
		if largest.inode != 0 || largest.value == "" {
			return p, errors.New("too many xattrs: their names do not fit in a block")
		}
		largest.inode = next + uint32(len(p.large))
		p.large = append(p.large, largest)
	}
	return p, nil
}

// valueBlocks returns the number of blocks of the EA inodes, which the block count
// of their owner includes.
func (p placement) valueBlocks() (blocks int64) {
	for _, a := range p.large {
		blocks += blocksOf(int64(len(a.value)))
	}
	return blocks
}
