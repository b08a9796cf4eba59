// SPDX-License-Identifier: Apache-2.0

package ext4

import "banger/lib/tree"

// newReserved returns the common part of the resize inode and the journal inode.
func newReserved() []byte {
	return newInode(&tree.Inode{Type: tree.File, Mode: 0o600, Nlink: 1})
}

// reserved checks a reserved inode other than the root.
func (c *checker) reserved(ino uint32, raw []byte) error {
	switch ino {
	case resizeIno:
		return c.resizeInode(raw)
	case journalIno:
		return c.journalInode(raw)
	}
	c.compareReserved(ino, raw, make([]byte, inodeSize))
	return nil
}

// compareReserved compares a reserved inode with that of mke2fs, except the times.
// An unused one has no extra fields and only the lower half of the checksum
// (ext4_inode_csum_verify in fs/ext4/inode.c).
func (c *checker) compareReserved(ino uint32, raw, want []byte) {
	for _, field := range []int{inAtime, inCtime, inMtime, inCrtime} {
		copy(want[field:field+4], raw[field:])
	}
	c.setInodeChecksum(ino, want)
	if le.Uint16(want[inExtraIsize:]) == 0 {
		le.PutUint16(want[inChecksumHi:], 0)
	}
	c.compareInode(ino, raw, want)
}
