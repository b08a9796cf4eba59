// SPDX-License-Identifier: Apache-2.0

package ext4

import "fmt"

// A placement says where the attributes of an inode go: into the inode as long
// as there is room, the others into a block, of which the largest values get
// inodes of their own until the rest fits.
type placement struct {
	inode, block []attribute
	large        []*attribute // of the block, those whose value has an inode
}

// place finds the places of attributes that are in ext4's order. Inodes for
// large values are numbered from next.
func place(all []attribute, next uint32) (p placement, err error) {
	left := xattrRoom - room(nil)
	for _, a := range all {
		if a.size() <= left {
			p.inode, left = append(p.inode, a), left-a.size()
		} else {
			p.block = append(p.block, a)
		}
	}
	for len(p.block) > 0 && room(p.block) > blockRoom {
		largest := &p.block[0]
		for i := range p.block {
			if a := &p.block[i]; largest.inode != 0 || a.inode == 0 && len(a.value) > len(largest.value) {
				largest = a
			}
		}
		if largest.inode != 0 || largest.value == "" {
			return p, fmt.Errorf("the names of its %d xattrs alone do not fit into a block of %d bytes", len(all), blockSize)
		}
		largest.inode = next + uint32(len(p.large))
		p.large = append(p.large, largest)
	}
	return p, nil
}

// valueBlocks is how many blocks the inodes of large values have; they count as
// the owner's too.
func (p placement) valueBlocks() (blocks int64) {
	for _, a := range p.large {
		blocks += blocksOf(int64(len(a.value)))
	}
	return blocks
}
