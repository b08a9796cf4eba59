// SPDX-License-Identifier: Apache-2.0

package ext4

import "encoding/binary"

// The journal's superblock, in its first block, whose words are big-endian
// (journal_superblock_t, Documentation/filesystems/ext4/journal.rst).
const (
	jsMagic     = 0x00
	jsType      = 0x04
	jsBlockSize = 0x0c
	jsBlocks    = 0x10
	jsFirst     = 0x14 // block of the log
	jsSequence  = 0x18 // of the first transaction
	jsUUID      = 0x30 // of the filesystem
	jsUsers     = 0x40

	journalMagic = 0xc03b3998
	journalV2    = 4 // JBD2_SUPERBLOCK_V2
)

// newJournal is the journal's first block as mke2fs leaves it: an empty log, no
// features (lib/ext2fs/mkjournal.c).
func (m *Image) newJournal(blocks int64) []byte {
	raw, be := make([]byte, blockSize), binary.BigEndian
	for at, word := range map[int]uint32{
		jsMagic: journalMagic, jsType: journalV2, jsBlockSize: blockSize, jsBlocks: uint32(blocks),
		jsFirst: 1, jsSequence: 1, jsUsers: 1,
	} {
		be.PutUint32(raw[at:], word)
	}
	copy(raw[jsUUID:], m.super[sbUUID:sbUUID+16])
	return raw
}

// journalInode checks the inode of the journal.
func (c *checker) journalInode(raw []byte) error {
	blocks, end, err := c.claimExtents(journalIno, raw, func(extent) {})
	if err != nil {
		return c.judge(err, "inode %d", journalIno)
	}
	want := newReserved()
	copy(want[inBlock:inBlock+60], raw[inBlock:])
	le.PutUint32(want[inFlags:], flagExtents)
	setSize(want, end*blockSize)
	setBlocks(want, blocks)
	c.compareReserved(journalIno, raw, want)
	if said := c.super[sbJournalBlocks:]; firstDifference(said[:60], raw[inBlock:inBlock+60]) >= 0 ||
		le.Uint32(said[60:]) != le.Uint32(raw[inSizeHi:]) || le.Uint32(said[64:]) != le.Uint32(raw[inSizeLo:]) {
		c.tell("superblock: its copy of the journal's inode is not one")
	}
	return nil
}

// journal checks the content of the journal: a log in which nothing was ever
// written.
func (c *checker) journal() error {
	raw, err := c.readInode(journalIno)
	if err != nil {
		return c.judge(err, "journal")
	}
	first, next := true, int64(0)
	err = c.extents(journalIno, raw, func(e extent) error {
		if e.logical != next {
			c.tell("journal: no block %d", next)
		}
		next = e.logical + e.count
		if first {
			first = false
			if err := c.journalSuper(e.physical, sizeOf(raw)/blockSize); err != nil {
				return err
			}
			e.physical, e.count = e.physical+1, e.count-1
		}
		return c.zeros(e.physical, e.count, "the journal's log")
	})
	return c.judge(err, "inode %d", journalIno)
}

// journalSuper checks the first block.
func (c *checker) journalSuper(physical, blocks int64) error {
	have, err := c.read(physical, 1)
	if err != nil {
		return err
	}
	if at := firstDifference(have, c.newJournal(blocks)); at >= 0 {
		c.tell("journal: its superblock, block %d, is not that of a new one, byte %#x", physical, at)
	}
	return nil
}
