// SPDX-License-Identifier: Apache-2.0

package ext4

import "slices"

// inodeFields are the offsets and names of the fields of an inode.
var inodeFields = []inodeField{
	{inMode, "mode"}, {inUID, "uid"}, {inSizeLo, "size"}, {inAtime, "atime"}, {inCtime, "ctime"}, {inMtime, "mtime"},
	{0x14, "dtime"}, {inGID, "gid"}, {inLinks, "links"}, {inBlocks, "blocks"}, {inFlags, "flags"}, {inVersion, "version"},
	{inBlock, "content"}, {inGeneration, "generation"}, {inXattrBlock, "xattr block"}, {inSizeHi, "size"},
	{0x70, "unused part"}, {inBlocksHi, "blocks"}, {inXattrHi, "xattr block"}, {inUIDHi, "uid"}, {inGIDHi, "gid"},
	{inChecksumLo, "checksum"}, {0x7e, "unused part"}, {inExtraIsize, "extra isize"}, {inChecksumHi, "checksum"},
	{inCtimeExtra, "ctime"}, {inMtimeExtra, "mtime"}, {inAtimeExtra, "atime"}, {inCrtime, "crtime"}, {inCrtimeEx, "crtime"},
	{0x98, "version"}, {0x9c, "project"}, {inXattrs, "xattrs"},
}

type inodeField struct {
	at   int
	name string
}

// compareInode reports the first field of an inode that differs.
func (c *checker) compareInode(ino uint32, raw, want []byte) {
	at := firstDifference(raw, want)
	if at < 0 {
		return
	}
	i, exact := slices.BinarySearchFunc(inodeFields, at, func(f inodeField, at int) int { return f.at - at })
	if !exact {
		i--
	}
	field, end := inodeFields[i], inodeSize
	if i+1 < len(inodeFields) {
		end = inodeFields[i+1].at
	}
	end = min(end, field.at+8)
	c.problem("inode %d: %s: bytes are %x, should be %x", ino, field.name, raw[field.at:end], want[field.at:end])
}
