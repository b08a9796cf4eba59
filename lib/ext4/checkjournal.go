// SPDX-License-Identifier: Apache-2.0

package ext4

import "encoding/binary"

// The journal superblock is the first block of the journal. Its words are
// big-endian (journal_superblock_t, Documentation/filesystems/ext4/journal.rst).
const (
	jsMagic     = 0x00
	jsType      = 0x04
	jsBlockSize = 0x0c
	jsBlocks    = 0x10
	jsFirst     = 0x14 // block of the log
	jsSequence  = 0x18 // of the first transaction
	jsStart     = 0x1c // first block of the log that is in use, 0 for an empty log
	jsUUID      = 0x30 // of the filesystem
	jsUsers     = 0x40

	journalMagic = 0xc03b3998
	journalV2    = 4 // JBD2_SUPERBLOCK_V2
)

// newJournalSuper returns the journal superblock as mke2fs makes it: an empty log
// and no features (lib/ext2fs/mkjournal.c).
func (m *Image) newJournalSuper(blocks int64) []byte {
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

// journalInode checks the journal inode and its backup in the superblock.
func (c *checker) journalInode(raw []byte) error {
	blocks, end, err := c.claimExtents(journalIno, raw, func(extent) {})
	if err != nil {
		return c.imageError(err, "inode %d", journalIno)
	}
	want := newReserved()
	copy(want[inBlock:inBlock+60], raw[inBlock:])
	le.PutUint32(want[inFlags:], flagExtents)
	setSize(want, end*blockSize)
	setBlocks(want, blocks)
	c.compareReserved(journalIno, raw, want)
	if backup := c.super[sbJournalBlocks:]; firstDifference(backup[:60], raw[inBlock:inBlock+60]) >= 0 ||
		le.Uint32(backup[60:]) != le.Uint32(raw[inSizeHi:]) || le.Uint32(backup[64:]) != le.Uint32(raw[inSizeLo:]) {
		c.problem("superblock: backup of the journal inode differs")
	}
	return nil
}

// journal checks that the journal's log is empty.
func (c *checker) journal() error {
	raw, err := c.readInode(journalIno)
	if err != nil {
		return c.imageError(err, "journal")
	}
	first, next := true, int64(0)
	err = c.visitExtents(journalIno, raw, func(e extent) error {
		if e.logical != next {
			c.problem("journal: missing block %d", next)
		}
		next = e.logical + e.count
		if first {
			first = false
			if err := c.journalSuper(e.physical, sizeOf(raw)/blockSize); err != nil {
				return err
			}
			e.physical, e.count = e.physical+1, e.count-1
		}
		return c.checkZeros(e.physical, e.count, "journal: log")
	})
	return c.imageError(err, "inode %d", journalIno)
}

// journalSuper checks the journal superblock.
func (c *checker) journalSuper(physical, blocks int64) error {
	have, err := c.read(physical, 1)
	if err != nil {
		return err
	}
	if at := firstDifference(have, c.newJournalSuper(blocks)); at >= 0 {
		c.problem("journal: superblock, block %d, differs at byte %#x", physical, at)
	}
	return nil
}
