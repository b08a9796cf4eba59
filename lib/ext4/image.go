// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// An Image is an ext4 filesystem in a file.
type Image struct {
	f        *os.File
	super    [sbSize]byte
	descs    []byte // group descriptors
	csumSeed uint32
	lookups  int64 // names looked up so far, and blocks of their directories
}

// Open opens an image for reading. It rejects files that are not ext4 or have
// another format than this package supports.
func Open(path string) (*Image, error) { return open(path, os.O_RDONLY) }

func open(path string, flag int) (*Image, error) {
	f, err := os.OpenFile(path, flag|unix.O_NONBLOCK, 0) // do not block on a fifo
	if err != nil {
		return nil, err
	}
	m := &Image{f: f}
	if err := m.load(); err != nil {
		f.Close()
		return nil, status.With(status.Bad, fmt.Errorf("%s: %w", path, err))
	}
	return m, nil
}

// Pristine reports whether a file is an image as made by Create and was never
// mounted.
func Pristine(path string) bool {
	m, err := Open(path)
	if err != nil {
		return false
	}
	defer m.Close()
	return m.pristine()
}

func (m *Image) pristine() bool {
	return le.Uint64(m.super[sbKBytesWritten:]) == 0 && le.Uint16(m.super[sbMountCount:]) == 0 && m.u32(sbMountTime) == 0
}

// Close closes the file.
func (m *Image) Close() error { return m.f.Close() }

// load reads the superblock and the group descriptors.
func (m *Image) load() error {
	info, err := m.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file")
	}
	if _, err := m.f.ReadAt(m.super[:], sbOffset); err != nil {
		return fmt.Errorf("superblock: %w", noEOF(err))
	}
	if le.Uint16(m.super[sbMagic:]) != superMagic {
		return fmt.Errorf("not an ext4 filesystem")
	}
	if err := m.checkFormat(); err != nil {
		return err
	}
	m.csumSeed = crc32c(^uint32(0), m.super[sbUUID:sbUUID+16])
	if have := info.Size(); have < m.Blocks()*blockSize {
		return fmt.Errorf("truncated: %d bytes, the filesystem has %d", have, m.Blocks()*blockSize)
	}
	m.descs = make([]byte, m.groupCount()*gdSize)
	if _, err := m.f.ReadAt(m.descs, blockSize); err != nil {
		return fmt.Errorf("group descriptors: %w", noEOF(err))
	}
	return nil
}

// checkFormat rejects unsupported formats.
func (m *Image) checkFormat() error {
	rest := map[int]uint32{}
	for _, field := range []int{sbCompat, sbIncompat, sbROCompat} {
		rest[field] = le.Uint32(m.super[field:])
	}
	for _, f := range features {
		if rest[f.field]&f.bit == 0 {
			return fmt.Errorf("missing feature %s", f.name)
		}
		rest[f.field] &^= f.bit
	}
	rest[sbIncompat] &^= eaInode
	for _, f := range otherFeatures {
		if rest[f.field]&f.bit != 0 {
			return fmt.Errorf("unsupported feature %s", f.name)
		}
	}
	for field, name := range map[int]string{sbCompat: "compat", sbIncompat: "incompat", sbROCompat: "ro_compat"} {
		if rest[field] != 0 {
			return fmt.Errorf("unknown %s features %#x", name, rest[field])
		}
	}
	switch {
	case crc32c(^uint32(0), m.super[:sbChecksum]) != le.Uint32(m.super[sbChecksum:]):
		return fmt.Errorf("superblock does not match its checksum")
	case le.Uint32(m.super[sbLogBlockSize:]) != 2:
		return fmt.Errorf("unsupported block size, want %d", blockSize)
	case le.Uint16(m.super[sbInodeSize:]) != inodeSize:
		return fmt.Errorf("unsupported inode size, want %d", inodeSize)
	case le.Uint16(m.super[sbDescSize:]) != gdSize:
		return fmt.Errorf("unsupported group descriptor size, want %d", gdSize)
	case m.blocksPerGroup() != 8*blockSize || m.inodesPerGroup() == 0 || m.inodesPerGroup() > 8*blockSize:
		return fmt.Errorf("unsupported group size: %d blocks, %d inodes", m.blocksPerGroup(), m.inodesPerGroup())
	case m.Blocks() <= 0 || m.Blocks() > maxBlocks:
		return fmt.Errorf("invalid block count %d", m.Blocks())
	case uint64(m.InodeCount()) != uint64(m.groupCount())*uint64(m.inodesPerGroup()):
		return fmt.Errorf("invalid inode count %d in %d groups", m.InodeCount(), m.groupCount())
	}
	return nil
}

func (m *Image) u32(field int) uint32 { return le.Uint32(m.super[field:]) }

// Blocks returns the size of the filesystem in blocks of 4 KiB.
func (m *Image) Blocks() int64 { return int64(m.u32(sbBlocksLo)) | int64(m.u32(sbBlocksHi))<<32 }

// Size returns the size of the filesystem in bytes.
func (m *Image) Size() int64 { return m.Blocks() * blockSize }

// FreeBlocks returns the number of free blocks.
func (m *Image) FreeBlocks() int64 {
	return int64(m.u32(sbFreeBlocksLo)) | int64(m.u32(sbFreeBlocksHi))<<32
}

// FreeBytes returns the free space in bytes.
func (m *Image) FreeBytes() int64 { return m.FreeBlocks() * blockSize }

// InodeCount returns the number of inodes, used or not.
func (m *Image) InodeCount() uint32 { return m.u32(sbInodesCount) }

// FreeInodes returns the number of free inodes.
func (m *Image) FreeInodes() int64 { return int64(m.u32(sbFreeInodes)) }

// UUID returns the UUID of the filesystem as blkid(8) prints it.
func (m *Image) UUID() string { return formatUUID(m.super[sbUUID : sbUUID+16]) }

func formatUUID(b []byte) string {
	s := hex.EncodeToString(b)
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:32]}, "-")
}

func (m *Image) blocksPerGroup() int64  { return int64(m.u32(sbBlocksPerGroup)) }
func (m *Image) inodesPerGroup() uint32 { return m.u32(sbInodesPerGroup) }

func (m *Image) groupCount() int64 {
	return (m.Blocks() + m.blocksPerGroup() - 1) / m.blocksPerGroup()
}

// noEOF replaces io.EOF by io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// hasSuper reports whether a group starts with a superblock: groups 0 and 1, and
// powers of 3, 5 and 7 (sparse_super).
func hasSuper(g int64) bool {
	if g <= 1 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		p := base
		for p < g {
			p *= base
		}
		if p == g {
			return true
		}
	}
	return false
}

// editSuper changes the superblock and its backups, and updates their checksums.
func (m *Image) editSuper(edit func(sb []byte)) error {
	for g := range m.groupCount() {
		if !hasSuper(g) {
			continue
		}
		at := g * m.blocksPerGroup() * blockSize
		if g == 0 {
			at = sbOffset
		}
		var sb [sbSize]byte
		if _, err := m.f.ReadAt(sb[:], at); err != nil {
			return noEOF(err)
		}
		edit(sb[:])
		le.PutUint32(sb[sbChecksum:], crc32c(^uint32(0), sb[:sbChecksum]))
		if _, err := m.f.WriteAt(sb[:], at); err != nil {
			return err
		}
		if g == 0 {
			m.super = sb
		}
	}
	return nil
}

// ReadUUID returns the UUID of an ext4 filesystem, whatever its features are and
// whether it is mounted.
func ReadUUID(r io.ReaderAt) (string, error) {
	super, err := readSuper(r)
	if err != nil {
		return "", err
	}
	return formatUUID(super[sbUUID : sbUUID+16]), nil
}

// ReadSize returns the size in bytes of an ext4 filesystem, whatever its features
// are and whether it is mounted.
func ReadSize(r io.ReaderAt) (int64, error) {
	super, err := readSuper(r)
	if err != nil {
		return 0, err
	}
	blocks, shift := uint64(le.Uint32(super[sbBlocksLo:])), 10+uint64(le.Uint32(super[sbLogBlockSize:]))
	if le.Uint32(super[sbIncompat:])&with64bit != 0 {
		blocks |= uint64(le.Uint32(super[sbBlocksHi:])) << 32
	}
	if shift > maxBlockShift || blocks > math.MaxInt64>>shift {
		return 0, fmt.Errorf("the superblock has a size that no filesystem has: %d blocks of 1 << %d bytes", blocks, shift)
	}
	return int64(blocks << shift), nil
}

func readSuper(r io.ReaderAt) ([]byte, error) {
	super := make([]byte, sbSize)
	if _, err := r.ReadAt(super, sbOffset); err != nil && err != io.EOF {
		return nil, err
	}
	if le.Uint16(super[sbMagic:]) != superMagic {
		return nil, errors.New("no ext4 filesystem")
	}
	return super, nil
}
