// SPDX-License-Identifier: Apache-2.0

// Package ext4 makes ext4 images and reads them.
//
// mkfs.ext4 always makes the filesystem. By default it leaves it empty, and this
// package fills it in one sweep (direct.go). Or mkfs.ext4 fills it from a
// directory as well, and this package then writes what the directory cannot
// express into the finished image, by inode number (mkfs.go, meta.go).
//
// One format is read and written, and every other refused: 4 KiB blocks,
// 256-byte inodes, and the features listed here. The names are those of the
// kernel's fs/ext4/ext4.h; the layout is that of its Documentation/filesystems/ext4.
//
// From the bottom to the top: format.go and checksum.go; the structures on disk,
// which reader and writers share, in image.go (the superblock), group.go,
// bitmap.go, inode.go, extent.go, dir.go, hash.go, htree.go, xattr.go and acl.go;
// the reader in lookup.go, file.go, readtree.go and xattrread.go. Above them,
// direct: plan.go says what goes where in which order, feed.go and batch.go read
// it, space.go, sweep.go and table.go place it, fill.go and fillinode.go have
// that done inode by inode, line.go all at the same time, finish.go sums up.
//
// And what was made is judged by what lies on disk alone: checkimage.go has that
// done, checksuper.go and checkgroups.go for the filesystem as a whole,
// checkinodes.go inode by inode, checkowners.go block by block.
package ext4

import "encoding/binary"

var le = binary.LittleEndian

// The geometry that is fixed.
const (
	blockSize  = 4096
	maxBlocks  = 1 << 32 // 16 TiB: the resize inode reaches no further
	inodeSize  = 256
	extraIsize = 32 // bytes of the inode after the first 128 that have a meaning
)

// Inode numbers that mean something.
const (
	rootIno      = 2
	resizeIno    = 7
	journalIno   = 8
	lostFoundIno = 11 // the first that is not reserved: mke2fs makes it lost+found
)

// The superblock, 1024 bytes at byte 1024 (struct ext4_super_block).
const (
	sbOffset = 1024
	sbSize   = 1024

	sbInodesCount    = 0x00
	sbBlocksLo       = 0x04
	sbFreeBlocksLo   = 0x0c
	sbFreeInodes     = 0x10
	sbLogBlockSize   = 0x18 // block size is 1024 << this
	sbBlocksPerGroup = 0x20
	sbInodesPerGroup = 0x28
	sbMagic          = 0x38
	sbInodeSize      = 0x58
	sbCompat         = 0x5c
	sbIncompat       = 0x60
	sbROCompat       = 0x64
	sbUUID           = 0x68
	sbMountTime      = 0x2c
	sbMountCount     = 0x34
	sbState          = 0x3a
	sbGroupNr        = 0x5a // of the group that a backup is in
	sbReservedGDT    = 0xce // blocks kept free after the descriptors (resize_inode)
	sbHashSeed       = 0xec // 16 bytes
	sbHashVersion    = 0xfc
	sbDescSize       = 0xfe
	sbJournalBlocks  = 0x10c // what the journal's inode says: 15 words, upper and lower half of the size
	sbBlocksHi       = 0x150
	sbFreeBlocksHi   = 0x158
	sbFlags          = 0x160
	sbKBytesWritten  = 0x178
	sbChecksum       = 0x3fc

	superMagic     = 0xef53
	flagSignedHash = 1 // names are hashed as signed chars, as on x86
)

// The features of the format, and their names in mke2fs(8).
var features = []struct {
	name  string
	field int // sbCompat, sbIncompat or sbROCompat
	bit   uint32
}{
	{"has_journal", sbCompat, 0x4},
	{"ext_attr", sbCompat, 0x8},
	{"resize_inode", sbCompat, 0x10},
	{"dir_index", sbCompat, 0x20},
	{"filetype", sbIncompat, 0x2},
	{"extent", sbIncompat, 0x40},
	{"64bit", sbIncompat, 0x80},
	{"flex_bg", sbIncompat, 0x200},
	{"sparse_super", sbROCompat, 0x1},
	{"large_file", sbROCompat, 0x2},
	{"huge_file", sbROCompat, 0x8},
	{"dir_nlink", sbROCompat, 0x20},
	{"extra_isize", sbROCompat, 0x40},
	{"metadata_csum", sbROCompat, 0x400},
}

// eaInode is in images that have an extended attribute too large for a block.
const eaInode = 0x400

// Features of other formats, so as to refuse them by name.
var otherFeatures = []struct {
	name  string
	field int
	bit   uint32
}{
	{"dir_prealloc", sbCompat, 0x1}, {"imagic_inodes", sbCompat, 0x2}, {"sparse_super2", sbCompat, 0x200},
	{"fast_commit", sbCompat, 0x400}, {"stable_inodes", sbCompat, 0x800}, {"orphan_file", sbCompat, 0x1000},
	{"compression", sbIncompat, 0x1}, {"needs_recovery", sbIncompat, 0x4}, {"journal_dev", sbIncompat, 0x8},
	{"meta_bg", sbIncompat, 0x10}, {"mmp", sbIncompat, 0x100},
	{"dirdata", sbIncompat, 0x1000}, {"metadata_csum_seed", sbIncompat, 0x2000}, {"large_dir", sbIncompat, 0x4000},
	{"inline_data", sbIncompat, 0x8000}, {"encrypt", sbIncompat, 0x10000}, {"casefold", sbIncompat, 0x20000},
	{"btree_dir", sbROCompat, 0x4}, {"uninit_bg", sbROCompat, 0x10}, {"snapshot", sbROCompat, 0x80},
	{"quota", sbROCompat, 0x100}, {"bigalloc", sbROCompat, 0x200}, {"replica", sbROCompat, 0x800},
	{"read-only", sbROCompat, 0x1000}, {"project", sbROCompat, 0x2000}, {"shared_blocks", sbROCompat, 0x4000},
	{"verity", sbROCompat, 0x8000}, {"orphan_present", sbROCompat, 0x10000},
}

// A group descriptor, 64 bytes in the blocks after the superblock's (struct
// ext4_group_desc). Most fields have their upper half in the second 32 bytes.
const (
	gdSize = 64

	gdBlockBitmap   = 0x00 // block numbers
	gdInodeBitmap   = 0x04
	gdInodeTable    = 0x08
	gdFreeBlocks    = 0x0c // counts
	gdFreeInodes    = 0x0e
	gdUsedDirs      = 0x10
	gdFlags         = 0x12
	gdBlockBitmapCs = 0x18 // checksums of the bitmaps
	gdInodeBitmapCs = 0x1a
	gdUnused        = 0x1c // inodes at the end of the table never used
	gdChecksum      = 0x1e // has no upper half

	gdInodeUninit = 1 // no inode is used, and the bitmap is not written
	gdBlockUninit = 2 // nor is that of the blocks
	gdInodeZeroed = 4 // the unused part of the table is zeros
)

// An inode (struct ext4_inode).
const (
	inMode       = 0x00
	inUID        = 0x02
	inSizeLo     = 0x04
	inAtime      = 0x08
	inCtime      = 0x0c
	inMtime      = 0x10
	inGID        = 0x18
	inLinks      = 0x1a
	inBlocks     = 0x1c // of 512 bytes
	inFlags      = 0x20
	inVersion    = 0x24
	inBlock      = 0x28 // 60 bytes: an extent tree, a fast symlink or a device
	inGeneration = 0x64
	inXattrBlock = 0x68
	inSizeHi     = 0x6c
	inBlocksHi   = 0x74
	inXattrHi    = 0x76
	inUIDHi      = 0x78
	inGIDHi      = 0x7a
	inChecksumLo = 0x7c
	inExtraIsize = 0x80
	inChecksumHi = 0x82
	inCtimeExtra = 0x84
	inMtimeExtra = 0x88
	inAtimeExtra = 0x8c
	inCrtime     = 0x90
	inCrtimeEx   = 0x94
	inXattrs     = 128 + extraIsize

	flagIndex   = 0x1000   // a directory has blocks of an index
	flagExtents = 0x80000  // inBlock is an extent tree
	flagEAInode = 0x200000 // the content is the value of an extended attribute

	fastSymlink = 60        // a shorter target is kept in inBlock
	maxFile     = 1<<32 - 1 // blocks of a file (EXT_MAX_BLOCKS)
)

// A directory entry: inode, length of the record, length of the name, type,
// name (struct ext4_dir_entry_2). The last record of a block is no entry but
// holds the block's checksum (struct ext4_dir_entry_tail).
const (
	deRecLen  = 4
	deNameLen = 6
	deType    = 7
	deName    = 8

	tailSize = 12
	tailType = 0xde
)
