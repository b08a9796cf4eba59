// SPDX-License-Identifier: Apache-2.0

package ext4

import "bytes"

// superFields are the words and bytes of a superblock that have one value in
// every image, beside those that Open looks at (struct ext4_super_block).
var superFields = []struct {
	name     string
	at, size int
	want     uint32
}{
	{"reserved blocks", 0x08, 4, 0},
	{"first data block", 0x14, 4, 0},
	{"cluster size", 0x1c, 4, 2},
	{"clusters per group", 0x24, 4, 8 * blockSize},
	{"mounts until a check", 0x36, 2, 1<<16 - 1},
	{"state", sbState, 2, superClean},
	{"behaviour at errors", 0x3c, 2, 1},
	{"time until a check", 0x44, 4, 0},
	{"revision", 0x4c, 4, 1},
	{"owner of reserved blocks", 0x50, 4, 0},
	{"first inode", 0x54, 4, lostFoundIno},
	{"group", sbGroupNr, 2, 0},
	{"journal inode", 0xe0, 4, journalIno},
	{"journal device", 0xe4, 4, 0},
	{"orphaned inodes", 0xe8, 4, 0},
	{"hash version", sbHashVersion, 1, hashHalfMD4},
	{"journal backup type", 0xfd, 1, 1},
	{"default mount options", 0x100, 4, defaultOptions},
	{"first meta_bg", 0x104, 4, 0},
	{"reserved blocks", 0x154, 4, 0},
	{"size of the part of inodes that is needed", 0x15c, 2, extraIsize},
	{"flags", sbFlags, 4, flagSignedHash},
	{"checksum type", 0x175, 1, 1},
	{"errors", 0x194, 4, 0},
}

const (
	superClean     = 1   // EXT4_VALID_FS
	defaultOptions = 0xc // EXT4_DEFM_XATTR_USER, EXT4_DEFM_ACL
)

// superTexts are the texts of a superblock, all of which are empty: a kernel
// mounts as the options say, and tools find a filesystem by its label.
var superTexts = []struct {
	name     string
	from, to int
}{
	{"label", 0x78, 0x88},
	{"last mounted on", 0x88, 0xc8},
	{"mount options", 0x200, 0x240},
}

// reservedBlocks returns how many blocks are kept free for more descriptors.
func (m *Image) reservedBlocks() int64 { return int64(le.Uint16(m.super[sbReservedGDT:])) }

// copyBlocks returns how many blocks a superblock and the descriptors take, with
// those that are kept free.
func (m *Image) copyBlocks() int64 { return 1 + m.descBlocks() + m.reservedBlocks() }

// superblock checks what the superblock says, and reports whether the rest can
// be told by it. Its checksum is right, or the image had not been opened.
func (c *checker) superblock() (sound bool) {
	for _, f := range superFields {
		var word [4]byte
		copy(word[:], c.super[f.at:f.at+f.size])
		if have := le.Uint32(word[:]); have != f.want {
			c.tell("superblock: %s: %#x, not %#x", f.name, have, f.want)
		}
	}
	for _, f := range superTexts {
		if text := c.super[f.from:f.to]; firstNonzero(text) >= 0 {
			c.tell("superblock: %s: %q, not empty", f.name, bytes.TrimRight(text, "\x00"))
		}
	}
	if c.inodesPerGroup()%(blockSize/inodeSize) != 0 || c.inodesPerGroup() < lostFoundIno {
		c.tell("superblock: %d inodes a group", c.inodesPerGroup())
		return false
	}
	if c.reservedBlocks() > resizeMax {
		c.tell("superblock: %d blocks for more descriptors", c.reservedBlocks())
		return false
	}
	for g := range c.groupCount() {
		if hasBackup(g) && c.copyBlocks() > c.groupBlocks(g) {
			c.tell("group %d: its %d blocks do not hold the descriptors", g, c.groupBlocks(g))
			return false
		}
	}
	return true
}

// backups checks what surrounds the superblock and the descriptors, and their
// copies.
func (c *checker) backups() error {
	first, err := c.read(0, 1)
	if err != nil {
		return err
	}
	clear(first[sbOffset : sbOffset+sbSize])
	if at := firstNonzero(first); at >= 0 {
		c.tell("block 0 is not all zeros outside the superblock, byte %#x", at)
	}
	descriptors := make([]byte, c.descBlocks()*blockSize)
	copy(descriptors, c.groups)
	for g := range c.groupCount() {
		if !hasBackup(g) {
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
			c.tell("group %d: its copy of the descriptors, block %d, is not as it must be, byte %#x", g, at+int64(i/blockSize), i%blockSize)
		}
	}
	return nil
}

// backup checks a group's copy of the superblock. mke2fs writes copies before
// the filesystem is whole, which is what the state says, and the highest number
// that there is room for where the group's is higher (write_backup_super in
// lib/ext2fs/closefs.c).
func (c *checker) backup(g int64) error {
	raw, err := c.read(g*c.blocksPerGroup(), 1)
	if err != nil {
		return err
	}
	sb, want := raw[:sbSize], bytes.Clone(c.super[:])
	if le.Uint32(sb[sbChecksum:]) != crc32c(^uint32(0), sb[:sbChecksum]) {
		c.tell("group %d: its copy of the superblock does not match its checksum", g)
		return nil
	}
	if state := le.Uint16(sb[sbState:]); state != superClean {
		le.PutUint16(want[sbState:], 0)
	}
	le.PutUint16(want[sbGroupNr:], uint16(min(g, 1<<16-1)))
	le.PutUint32(want[sbChecksum:], le.Uint32(sb[sbChecksum:]))
	if at := firstDifference(sb, want); at >= 0 {
		c.tell("group %d: its copy of the superblock is not one, byte %#x", g, at)
	}
	if at := firstNonzero(raw[sbSize:]); at >= 0 {
		c.tell("group %d: what follows its copy of the superblock is not all zeros, byte %#x", g, sbSize+at)
	}
	return nil
}
