// SPDX-License-Identifier: Apache-2.0

// Package ext4 makes, reads and checks ext4 images.
//
// mkfs.ext4 makes every filesystem. By default it makes an empty one, which this
// package fills in one pass (direct.go). With PopulateMkfs it also fills it, from
// a directory (mkfs.ext4 -d), and this package then corrects the metadata that
// the directory cannot express (meta.go).
//
// There is one format: 4 KiB blocks, 256-byte inodes, and the features below.
// Images with other features are refused. Constants are named after
// fs/ext4/ext4.h of the kernel; Documentation/filesystems/ext4 describes the
// layout.
//
// # Reading order
//
// On-disk structures, shared by reader and writers: format.go and checksum.go,
// then image.go (superblock), group.go (group descriptors), bitmap.go, inode.go,
// extent.go (extent trees), dir.go (directory blocks), htree.go and hash.go
// (indexed directories), xattr.go and acl.go.
//
// The reader: lookup.go resolves paths, file.go reads files, readtree.go and
// xattrread.go read all metadata.
//
// The direct writer, a pipeline (pipeline.go) in four stages:
//
//   - plan.go numbers the inodes, and size.go computes the size of the image;
//   - feed.go divides the tree into batches, which batch.go reads;
//   - fill.go and fillinode.go place them: space.go allocates blocks, table.go
//     fills the inode tables, xattrplace.go distributes xattrs;
//   - writequeue.go writes them, and finish.go writes descriptors and superblock.
//
// The checker compares an image byte by byte with what its tree implies
// (checkimage.go): checksuper.go and checkgroups.go the filesystem as a whole,
// checkinodes.go each inode, checkowners.go each block.
package ext4

import "encoding/binary"

var le = binary.LittleEndian

// The fixed geometry.
const (
	blockSize  = 4096
	maxBlocks  = 1 << 32 // 16 TiB, the limit of the resize inode
	inodeSize  = 256
	extraIsize = 32 // bytes of fields after the first 128 (i_extra_isize)
)

// Reserved inodes, and lost+found.
const (
	rootIno      = 2
	resizeIno    = 7
	journalIno   = 8
	lostFoundIno = 11 // the first inode that is not reserved
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
	sbLastCheck      = 0x40
	sbInodeSize      = 0x58
	sbCompat         = 0x5c
	sbIncompat       = 0x60
	sbROCompat       = 0x64
	sbUUID           = 0x68
	sbMountTime      = 0x2c
	sbMountCount     = 0x34
	sbState          = 0x3a
	sbGroupNr        = 0x5a // group of a backup
	sbReservedGDT    = 0xce // number of reserved GDT blocks (resize_inode)
	sbHashSeed       = 0xec // 16 bytes
	sbHashVersion    = 0xfc
	sbDescSize       = 0xfe
	sbJournalBlocks  = 0x10c // backup of the journal inode: i_block, i_size_high, i_size
	sbBlocksHi       = 0x150
	sbFreeBlocksHi   = 0x158
	sbFlags          = 0x160
	sbKBytesWritten  = 0x178
	sbMountTimeHi    = 0x275
	sbLastCheckHi    = 0x277
	sbChecksum       = 0x3fc

	superMagic     = 0xef53
	flagSignedHash = 1 // EXT2_FLAGS_SIGNED_HASH: names are hashed as signed chars
)

// The features of the format, named as in mke2fs(8).
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

// with64bit is the feature bit of filesystems whose numbers of blocks have 64 bits.
const with64bit = 0x80

// maxBlockShift is the logarithm of the largest block size of ext4, 64 KiB.
const maxBlockShift = 16

// eaInode is the feature bit of images with an xattr too large for a block.
const eaInode = 0x400

// Features of other formats, to be refused by name.
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

// A group descriptor (struct ext4_group_desc) has 64 bytes. The upper halves of
// most fields are in the second 32. The descriptors follow the superblock.
const (
	gdSize = 64

	gdBlockBitmap   = 0x00 // block numbers
	gdInodeBitmap   = 0x04
	gdInodeTable    = 0x08
	gdFreeBlocks    = 0x0c // counts
	gdFreeInodes    = 0x0e
	gdUsedDirs      = 0x10
	gdFlags         = 0x12
	gdBlockBitmapCs = 0x18 // bitmap checksums
	gdInodeBitmapCs = 0x1a
	gdUnused        = 0x1c // never used inodes at the end of the table
	gdChecksum      = 0x1e // has no upper half

	gdInodeUninit = 1 // no inode is used; the inode bitmap is not written
	gdBlockUninit = 2 // the block bitmap is not written
	gdInodeZeroed = 4 // the unused part of the inode table is zeros
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
	inBlocks     = 0x1c // in units of 512 bytes
	inFlags      = 0x20
	inVersion    = 0x24
	inBlock      = 0x28 // 60 bytes: extent tree, fast symlink or device
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

	flagIndex   = 0x1000   // an indexed directory
	flagExtents = 0x80000  // inBlock holds an extent tree
	flagEAInode = 0x200000 // the content is the value of an xattr

	fastSymlink = 60        // shorter targets are stored in inBlock
	maxFile     = 1<<32 - 1 // blocks (EXT_MAX_BLOCKS)
)

// A directory entry (struct ext4_dir_entry_2): inode, record length, name length,
// type, name. The last record of a block is a tail with the checksum of the block
// (struct ext4_dir_entry_tail).
const (
	deRecLen  = 4
	deNameLen = 6
	deType    = 7
	deName    = 8

	tailSize = 12
	tailType = 0xde
)
