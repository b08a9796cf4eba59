// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"io"
	"io/fs"
	"slices"

	"banger/lib/tree"
)

// A File is a file in an image. It need not be closed.
type File struct {
	Type tree.Type
	Mode uint16 // the low 12 bits
	Size int64  // bytes

	image   *Image
	extents []extent // the written ones, sorted by logical block
}

// Open opens the file at path. Symlinks are followed within the image, as by a
// kernel with the image as its root.
func (m *Image) Open(path string) (*File, error) {
	ino, raw, err := m.find(path)
	if err != nil {
		return nil, err
	}
	return m.file(ino, raw)
}

// file returns an inode as a File.
func (m *Image) file(ino uint32, raw []byte) (*File, error) {
	t, ok := typeOf(raw)
	if !ok {
		return nil, fmt.Errorf("inode %d: unknown file type", ino)
	}
	f := &File{Type: t, Mode: le.Uint16(raw[inMode:]) & 0o7777, Size: sizeOf(raw), image: m}
	if t != tree.File {
		return f, nil
	}
	if f.Size < 0 {
		return nil, fmt.Errorf("inode %d: invalid size %d", ino, f.Size)
	}
	err := m.visitWritten(ino, raw, func(e extent) error {
		f.extents = append(f.extents, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("inode %d: %w", ino, err)
	}
	return f, nil
}

// find returns the inode at path and its number.
func (m *Image) find(path string) (ino uint32, raw []byte, err error) {
	at, err := m.lookup(path)
	if err != nil {
		return 0, nil, err
	}
	raw, err = m.readInode(at.ino())
	return at.ino(), raw, err
}

// ReadFile returns the first bytes of the regular file at path, at most limit.
func (m *Image) ReadFile(path string, limit int64) ([]byte, error) {
	f, err := m.Open(path)
	if err != nil {
		return nil, err
	}
	if f.Type != tree.File {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	p := make([]byte, min(f.Size, limit))
	_, err = f.ReadAt(p, 0)
	return p, err
}

// ReadAt reads the content of a regular file. Holes and unwritten extents
// read as zeros.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	for n < len(p) && off < f.Size {
		part := p[n:][:min(int64(len(p)-n), f.Size-off)]
		read, err := f.readPart(part, off)
		if err != nil {
			return n, err
		}
		n, off = n+read, off+int64(read)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readPart reads up to the end of one extent or hole.
func (f *File) readPart(p []byte, off int64) (int, error) {
	at, found := slices.BinarySearchFunc(f.extents, off/blockSize, func(e extent, block int64) int {
		switch {
		case e.logical+e.count <= block:
			return -1
		case e.logical > block:
			return 1
		}
		return 0
	})
	if !found {
		if at < len(f.extents) {
			p = p[:min(int64(len(p)), f.extents[at].logical*blockSize-off)]
		}
		clear(p)
		return len(p), nil
	}
	e := f.extents[at]
	inside := off - e.logical*blockSize
	p = p[:min(int64(len(p)), e.count*blockSize-inside)]
	n, err := f.image.f.ReadAt(p, e.physical*blockSize+inside)
	return n, noEOF(err)
}

// storedChunk is the maximum size of a chunk that VisitBlocks passes, in bytes.
const storedChunk = 1 << 20

// VisitBlocks calls visit for the stored blocks of a file, in order, in chunks of
// whole blocks of up to 1 MiB. The last block may extend beyond the end of the file. The
// chunk is valid until visit returns.
func (f *File) VisitBlocks(visit func(off int64, blocks []byte) error) error {
	var chunk []byte
	for _, e := range f.extents {
		for e.count > 0 {
			count := min(e.count, storedChunk/blockSize)
			if int64(len(chunk)) < count*blockSize {
				chunk = make([]byte, count*blockSize)
			}
			blocks := chunk[:count*blockSize]
			if _, err := f.image.f.ReadAt(blocks, e.physical*blockSize); err != nil {
				return noEOF(err)
			}
			if err := visit(e.logical*blockSize, blocks); err != nil {
				return err
			}
			e = extent{e.logical + count, e.physical + count, e.count - count}
		}
	}
	return nil
}

// whole reports whether a file has no holes before its last stored block.
func (f *File) whole() bool {
	next := int64(0)
	for _, e := range f.extents {
		if e.logical != next {
			return false
		}
		next += e.count
	}
	return true
}

// Names returns the sorted names in a directory.
func (m *Image) Names(path string) ([]string, error) {
	ino, raw, err := m.find(path)
	if err != nil {
		return nil, err
	}
	if t, _ := typeOf(raw); t != tree.Dir {
		return nil, fs.ErrNotExist
	}
	var names []string
	err = m.visitDir(ino, raw, func(e dirent) error {
		names = append(names, e.name)
		return nil
	})
	slices.Sort(names)
	return names, err
}
