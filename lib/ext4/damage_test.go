// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"banger/lib/status"
)

// setSuperChecksum sets the checksum of the superblock.
func setSuperChecksum(sb []byte) {
	le.PutUint32(sb[sbChecksum:], crc32c(^uint32(0), sb[:sbChecksum]))
}

// forge opens an image with an edited superblock whose checksum is valid.
func forge(t *testing.T, m *Image, edit func(sb []byte)) error {
	t.Helper()
	sb := m.super
	edit(sb[:])
	setSuperChecksum(sb[:])
	if _, err := m.f.WriteAt(sb[:], sbOffset); err != nil {
		t.Fatal(err)
	}
	forged, err := Open(m.f.Name())
	if err == nil {
		forged.Close()
	}
	if _, err := m.f.WriteAt(m.super[:], sbOffset); err != nil {
		t.Fatal(err)
	}
	return err
}

// Unsupported features are rejected by their name in mke2fs(8).
func TestOtherFeatures(t *testing.T) {
	m := newSource(t).image(small)
	for _, f := range []struct {
		name  string
		field int
		bit   uint32
	}{
		{"fast_commit", sbCompat, 0x400}, {"orphan_file", sbCompat, 0x1000}, {"sparse_super2", sbCompat, 0x200},
		{"meta_bg", sbIncompat, 0x10}, {"mmp", sbIncompat, 0x100},
		{"metadata_csum_seed", sbIncompat, 0x2000}, {"large_dir", sbIncompat, 0x4000}, {"inline_data", sbIncompat, 0x8000},
		{"encrypt", sbIncompat, 0x10000}, {"casefold", sbIncompat, 0x20000},
		{"quota", sbROCompat, 0x100}, {"bigalloc", sbROCompat, 0x200}, {"read-only", sbROCompat, 0x1000},
		{"project", sbROCompat, 0x2000}, {"verity", sbROCompat, 0x8000},
	} {
		err := forge(t, m, func(sb []byte) { le.PutUint32(sb[f.field:], le.Uint32(sb[f.field:])|f.bit) })
		if err == nil || !strings.Contains(err.Error(), f.name) || status.Of(err) != status.Bad {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	for _, f := range features {
		err := forge(t, m, func(sb []byte) { le.PutUint32(sb[f.field:], le.Uint32(sb[f.field:])&^f.bit) })
		if err == nil || !strings.Contains(err.Error(), f.name) {
			t.Errorf("without %s: %v", f.name, err)
		}
	}
}

func TestForgedGeometry(t *testing.T) {
	m := newSource(t).image(small)
	for _, c := range []struct {
		name  string
		field int
		value uint32
	}{
		{"1 KiB blocks", sbLogBlockSize, 0}, {"no inodes a group", sbInodesPerGroup, 0}, {"no blocks a group", sbBlocksPerGroup, 0},
		{"too many inodes a group", sbInodesPerGroup, 1 << 20}, {"other inodes", sbInodesCount, 1}, {"no blocks", sbBlocksLo, 0},
		{"more blocks than bytes", sbBlocksLo, 1 << 20}, {"blocks below 0", sbBlocksHi, 1 << 31}, {"another magic", sbMagic, 0},
	} {
		if err := forge(t, m, func(sb []byte) { le.PutUint32(sb[c.field:], c.value) }); status.Of(err) != status.Bad {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Damage to any byte of the superblock is detected.
func TestDamagedSuperblock(t *testing.T) {
	m := newSource(t).image(small)
	for at := range int64(sbSize) {
		damage(t, m, sbOffset+at, func() {
			if damaged, err := Open(m.f.Name()); err == nil {
				damaged.Close()
				t.Errorf("byte %#x", at)
			}
		})
	}
	if err := os.Truncate(m.f.Name(), 8<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(m.f.Name()); err == nil {
		t.Error("no error for half an image")
	}
}

// damage changes a byte of an image while f runs.
func damage(t *testing.T, m *Image, at int64, f func()) {
	t.Helper()
	var b [1]byte
	if _, err := m.f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if _, err := m.f.WriteAt([]byte{b[0] ^ 0x55}, at); err != nil {
		t.Fatal(err)
	}
	f()
	if _, err := m.f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// Damage to any byte of an inode or a directory block is an error; an existing
// file is never reported as missing.
func TestDamagedDirectory(t *testing.T) {
	m := paths(t).image(small)
	raw, err := m.readInode(rootIno)
	if err != nil {
		t.Fatal(err)
	}
	inode, wrong := m.inodeTableOffset(0)+(rootIno-1)*inodeSize, []string{}
	look := func(what string, at int64) {
		if _, err := m.Open("/usr/lib/init"); errors.Is(err, fs.ErrNotExist) {
			wrong = append(wrong, fmt.Sprintf("%s %#x", what, at))
		}
	}
	for at := range int64(inodeSize) {
		damage(t, m, inode+at, func() { look("inode", at) })
	}
	m.visitExtents(rootIno, raw, func(e extent) error {
		for at := range int64(blockSize) {
			damage(t, m, e.physical*blockSize+at, func() { look("block", at) })
		}
		return nil
	})
	if len(wrong) > 0 {
		t.Errorf("missing without an error, with a damaged byte at: %s", strings.Join(wrong, ", "))
	}
}

// editInode changes an inode and sets its checksum.
func (m *Image) editInode(t testing.TB, ino uint32, edit func(raw []byte)) {
	t.Helper()
	raw, err := m.readInode(ino)
	if err != nil {
		t.Fatal(err)
	}
	edit(raw)
	m.setInodeChecksum(ino, raw)
	at := m.inodeTableOffset(int64((ino-1)/m.inodesPerGroup())) + int64((ino-1)%m.inodesPerGroup())*inodeSize
	if _, err := m.f.WriteAt(raw, at); err != nil {
		t.Fatal(err)
	}
}

// Invalid sizes of symlinks are rejected.
func TestForgedSymlink(t *testing.T) {
	m := paths(t).image(small)
	for _, size := range []uint64{0, 59, 60, 4096, 1 << 32, 1 << 62, 1 << 63, 1<<64 - 1} {
		t.Run(fmt.Sprintf("%#x", size), func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic: %v", r)
				}
			}()
			m.editInode(t, m.mustEntry(t, "lib"), func(raw []byte) {
				le.PutUint32(raw[inSizeLo:], uint32(size))
				le.PutUint32(raw[inSizeHi:], uint32(size>>32))
			})
			if _, err := m.Open("/lib/init"); err == nil {
				t.Error("no error")
			}
		})
	}
}

// forgeExtents gives an inode an extent tree of maximum depth. All entries of a
// node refer to the one node below it, and the last to a leaf.
func (m *Image) forgeExtents(t testing.TB, ino uint32, leaf func(node []byte, child int64)) {
	t.Helper()
	const base = 3000 // free blocks of the image, one per level
	for depth := range maxExtentDepth {
		node, child := make([]byte, blockSize), base+int64(depth)-1
		if depth == 0 {
			leaf(node, child)
		} else {
			loopNode(node, blockExtents, depth, child)
		}
		le.PutUint32(node[extentTail:], m.extentChecksum(ino, 0, node))
		if _, err := m.f.WriteAt(node, (base+int64(depth))*blockSize); err != nil {
			t.Fatal(err)
		}
	}
	m.editInode(t, ino, func(raw []byte) {
		loopNode(raw[inBlock:inBlock+60], inodeExtents, maxExtentDepth, base+maxExtentDepth-1)
	})
}

// The walk of an extent tree that is cyclic or repeats a block ends.
func TestForgedExtents(t *testing.T) {
	m := paths(t).image(small)
	ino := m.mustEntry(t, "many")
	m.forgeExtents(t, ino, func(leaf []byte, child int64) { loopNode(leaf, blockExtents, 0, child) })
	raw, err := m.readInode(ino)
	if err != nil {
		t.Fatal(err)
	}
	visits := int64(0)
	err = m.visitExtents(ino, raw, func(extent) error {
		if visits++; visits > m.Blocks() {
			return errFound
		}
		return nil
	})
	if err == nil || errors.Is(err, errFound) {
		t.Errorf("%v, after more extents than the image has blocks", err)
	}
}

// loopNode fills an extent tree node with entries that all refer to one block.
func loopNode(node []byte, entries, depth int, child int64) {
	clear(node)
	le.PutUint16(node, extentMagic)
	le.PutUint16(node[2:], uint16(entries))
	le.PutUint16(node[4:], uint16(entries))
	le.PutUint16(node[6:], uint16(depth))
	for i := 1; i <= entries; i++ {
		e := node[i*extentSize:]
		if depth == 0 {
			le.PutUint16(e[4:], 1)
			le.PutUint32(e[8:], uint32(child))
		} else {
			le.PutUint32(e[4:], uint32(child))
		}
	}
}
