// SPDX-License-Identifier: Apache-2.0

package ext4

import "bytes"

// superFields are the superblock fields with the same value in every image, other
// than those that Open checks (struct ext4_super_block).
var superFields = []struct {
	name     string
	at, size int
	want     uint32
}{
	{"reserved blocks", 0x08, 4, 0},
	{"first data block", 0x14, 4, 0},
	{"cluster size", 0x1c, 4, 2},
	{"clusters per group", 0x24, 4, 8 * blockSize},
	{"max mount count", 0x36, 2, 1<<16 - 1},
	{"state", sbState, 2, superClean},
	{"errors behavior", 0x3c, 2, 1},
	{"check interval", 0x44, 4, 0},
	{"revision", 0x4c, 4, 1},
	{"reserved blocks uid", 0x50, 4, 0},
	{"first inode", 0x54, 4, lostFoundIno},
	{"group", sbGroupNr, 2, 0},
	{"journal inode", 0xe0, 4, journalIno},
	{"journal device", 0xe4, 4, 0},
	{"first orphan inode", 0xe8, 4, 0},
	{"hash version", sbHashVersion, 1, hashHalfMD4},
	{"journal backup type", 0xfd, 1, 1},
	{"default mount options", 0x100, 4, defaultOptions},
	{"first meta_bg", 0x104, 4, 0},
	{"reserved blocks, upper half", 0x154, 4, 0},
	{"required extra isize", 0x15c, 2, extraIsize},
	{"flags", sbFlags, 4, flagSignedHash},
	{"checksum type", 0x175, 1, 1},
	{"error count", 0x194, 4, 0},
}

const (
	superClean     = 1   // EXT4_VALID_FS
	defaultOptions = 0xc // EXT4_DEFM_XATTR_USER, EXT4_DEFM_ACL
)

// superTexts are the strings in a superblock, which are empty in every image. They
// matter: the kernel applies the mount options, and tools look for labels.
var superTexts = []struct {
	name     string
	from, to int
}{
	{"label", 0x78, 0x88},
	{"last mounted on", 0x88, 0xc8},
	{"mount options", 0x200, 0x240},
}

// reservedBlocks returns the number of reserved GDT blocks.
func (m *Image) reservedBlocks() int64 { return int64(le.Uint16(m.super[sbReservedGDT:])) }

// superBlocks returns the number of blocks of a superblock with its descriptors
// and reserved GDT blocks.
func (m *Image) superBlocks() int64 { return 1 + m.descBlocks() + m.reservedBlocks() }

// superblock checks the superblock, and reports whether it can be used to check
// the rest. Open has checked its checksum.
func (c *checker) superblock() (sound bool) {
	for _, f := range superFields {
		var word [4]byte
		copy(word[:], c.super[f.at:f.at+f.size])
		if have := le.Uint32(word[:]); have != f.want {
			c.problem("superblock: %s is %#x, should be %#x", f.name, have, f.want)
		}
	}
	for _, f := range superTexts {
		if text := c.super[f.from:f.to]; firstNonzero(text) >= 0 {
			c.problem("superblock: %s is %q, should be empty", f.name, bytes.TrimRight(text, "\x00"))
		}
	}
	if c.inodesPerGroup()%(blockSize/inodeSize) != 0 || c.inodesPerGroup() < lostFoundIno {
		c.problem("superblock: invalid number of inodes per group %d", c.inodesPerGroup())
		return false
	}
	if c.reservedBlocks() > maxReservedGDT {
		c.problem("superblock: %d reserved GDT blocks (limit %d)", c.reservedBlocks(), maxReservedGDT)
		return false
	}
	for g := range c.groupCount() {
		if hasSuper(g) && c.superBlocks() > c.groupBlocks(g) {
			c.problem("group %d: %d blocks are too few for the descriptors", g, c.groupBlocks(g))
			return false
		}
	}
	return true
}

// backups checks the backups of superblock and descriptors, and the padding of the
// originals.
func (c *checker) backups() error {
	first, err := c.read(0, 1)
	if err != nil {
		return err
	}
	clear(first[sbOffset : sbOffset+sbSize])
	if at := firstNonzero(first); at >= 0 {
		c.problem("block 0 outside the superblock is nonzero at byte %#x", at)
	}
	descriptors := make([]byte, c.descBlocks()*blockSize)
	copy(descriptors, c.descs)
	for g := range c.groupCount() {
		if !hasSuper(g) {
			continue
		}
		if g > 0 {
			if err := c.backup(g); err != nil {
				return err
			}
		}
		at := g*c.blocksPerGroup() + 1
		have, err := c.read(at, c.descBlocks())
		if err != nil {
			return err
		}
		if i := firstDifference(have, descriptors); i >= 0 {
			c.problem("group %d: descriptor block %d differs at byte %#x", g, at+int64(i/blockSize), i%blockSize)
		}
	}
	return nil
}

// backup checks the backup superblock of a group. mke2fs may write it while the
// state is not yet clean, and limits the group number to 16 bits
// (write_backup_super in lib/ext2fs/closefs.c).
func (c *checker) backup(g int64) error {
	raw, err := c.read(g*c.blocksPerGroup(), 1)
	if err != nil {
		return err
	}
	sb, want := raw[:sbSize], bytes.Clone(c.super[:])
	if le.Uint32(sb[sbChecksum:]) != crc32c(^uint32(0), sb[:sbChecksum]) {
		c.problem("group %d: backup superblock does not match its checksum", g)
		return nil
	}
	if state := le.Uint16(sb[sbState:]); state != superClean {
		le.PutUint16(want[sbState:], 0)
	}
	le.PutUint16(want[sbGroupNr:], uint16(min(g, 1<<16-1)))
	le.PutUint32(want[sbChecksum:], le.Uint32(sb[sbChecksum:]))
	if at := firstDifference(sb, want); at >= 0 {
		c.problem("group %d: backup superblock differs at byte %#x", g, at)
	}
	if at := firstNonzero(raw[sbSize:]); at >= 0 {
		c.problem("group %d: block of the backup superblock is nonzero at byte %#x", g, sbSize+at)
	}
	return nil
}
