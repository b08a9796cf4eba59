// SPDX-License-Identifier: Apache-2.0

// Package tar reads tar archives in all common formats: V7, ustar, pax, star,
// and GNU with long names and sparse files. It does not trust sizes and counts
// beyond the bytes that follow, and reports truncated archives.
//
// The formats are described in POSIX.1-2017, pax, "pax Interchange Format" and
// "ustar Interchange Format", and in the GNU tar manual, "Basic Tar Format" and
// "Storing Sparse Files".
package tar

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"banger/lib/sparse"
)

// Typeflags of entries.
const (
	File    = '0' // also NUL, and 'S' of GNU tar
	Link    = '1'
	Symlink = '2'
	Char    = '3'
	Block   = '4'
	Dir     = '5'
	Fifo    = '6'
	Contig  = '7' // contiguous file
	Global  = 'g' // pax records for the following entries, not a file
)

// A Header describes an entry, with its extended headers applied.
type Header struct {
	Type         byte // typeflag
	Name, Link   string
	Mode         int64
	UID, GID     int64
	Sec          int64 // mtime, seconds since 1970; out of range, the nearest int64
	Nsec         uint32
	Major, Minor int64
	Size         int64          // of the content, holes included
	Data         []sparse.Range // of a sparse file: offsets of its data in the content
	Sparse       bool
	Records      []Record // all pax records of the entry, in order
	Extended     int64    // bytes of extended headers
}

// A Record is a pax record, KEY=VALUE.
type Record struct{ Key, Value string }

// blockSize is the size of a tar block, in bytes.
const blockSize = 512

// maxExtended limits the extended headers of an entry, in bytes, which are held
// in memory. They have room for sixty attributes of 64 KiB.
const maxExtended = 4 << 20

// maxHeaders limits the number of extended headers of an entry: an empty one
// does not count towards maxExtended. Archivers write at most three.
const maxHeaders = 100

// A Reader reads the entries of an archive. Next returns a header, Read reads
// the data of the entry.
type Reader struct {
	// Terminated reports, once Next has returned io.EOF, whether the archive
	// ends with two blocks of zeros.
	Terminated bool

	in       *bufio.Reader
	block    block // last header
	at       int64 // bytes read
	left     int64 // unread data of the entry
	extended extended
}

// NewReader returns a Reader of r. It reads ahead: use Rest for data after the
// end of the archive.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 64<<10)}
}

// Rest returns a reader of the data after the end of the archive.
func (r *Reader) Rest() io.Reader { return r.in }

// Next skips the rest of the entry and returns the next one. It returns io.EOF
// at the end, and io.ErrUnexpectedEOF if the archive is truncated.
func (r *Reader) Next() (*Header, error) {
	if err := r.finish(); err != nil {
		return nil, err
	}
	for {
		at := r.at
		b, err := r.header()
		if err != nil {
			return nil, err
		}
		h, err := r.parse(b)
		if err != nil {
			return nil, fmt.Errorf("entry at byte %d: %w", at, err)
		}
		if h != nil {
			return h, nil
		}
	}
}

// parse returns the entry of a header. For an extended header it stores the data
// for the next entry and returns nil.
func (r *Reader) parse(b *block) (*Header, error) {
	switch b.typeflag() {
	case 'x', 'L', 'K':
		return nil, r.extend(b)
	case Global:
		return r.global(b)
	}
	h, err := r.entry(b)
	r.extended = extended{}
	return h, err
}

// entry returns the entry of a header and the extended headers before it.
func (r *Reader) entry(b *block) (*Header, error) {
	h, err := b.entry(&r.extended)
	if err != nil {
		return nil, err
	}
	r.left = h.Size
	switch h.Type {
	case Symlink, Char, Block, Dir, Fifo:
		h.Size, r.left = 0, 0 // these have no data, whatever the size field says
	case Link:
		if h.Size, err = r.linkSize(h.Size); err != nil {
			return nil, err
		}
		r.left = h.Size
	case File, Contig, 'S':
		err = r.sparse(h, b)
	}
	return h, err
}

// linkSize returns the number of data bytes of a hard link. Most archivers write
// the size of the file but no data: then a header or the end follows.
func (r *Reader) linkSize(size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	ahead, err := r.in.Peek(blockSize)
	if err != nil && err != io.EOF {
		return 0, err
	}
	if len(ahead) == 0 || isZero(ahead) {
		return 0, nil
	}
	if len(ahead) == blockSize && (*block)(ahead).check() == nil {
		return 0, nil
	}
	return size, nil
}

// Read reads the data of the entry, without the holes of a sparse file.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// finish skips the rest of the data and its padding. The padding of the last
// entry may be missing.
func (r *Reader) finish() error {
	if err := r.discard(r.left); err != nil {
		return err
	}
	r.left = 0
	err := r.discard(-r.at & (blockSize - 1))
	if err == io.ErrUnexpectedEOF {
		err = nil // reading the next header returns it again
	}
	return err
}

// discard skips n bytes.
func (r *Reader) discard(n int64) error {
	for n > 0 {
		// bufio.Reader.Discard takes an int, which may have 32 bits.
		m, err := r.in.Discard(int(min(n, 1<<30)))
		r.at += int64(m)
		n -= int64(m)
		if err != nil {
			return unexpectedEOF(err)
		}
	}
	return nil
}

// header reads the next header and verifies its checksum.
func (r *Reader) header() (*block, error) {
	b := &r.block
	n, err := io.ReadFull(r.in, b[:])
	r.at += int64(n)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return nil, err
	case isZero(b[:n]):
		return nil, r.end(n)
	case err != nil:
		return nil, unexpectedEOF(err)
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("entry at byte %d: %w", r.at-blockSize, err)
	}
	return b, nil
}

// end reads the end of an archive: two blocks of zeros, or fewer at the end of
// the input. n bytes of the first have been read.
func (r *Reader) end(n int) error {
	if r.extended.headers > 0 {
		return io.ErrUnexpectedEOF // no entry after the extended header
	}
	if n < blockSize {
		return io.EOF
	}
	var second block
	n, err := io.ReadFull(r.in, second[:])
	r.at += int64(n)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case !isZero(second[:n]):
		return fmt.Errorf("entry at byte %d: preceded by a lone zero block", r.at-int64(n))
	}
	r.Terminated = n == blockSize
	return io.EOF
}

// unexpectedEOF turns io.EOF into io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var zeros block

// isZero reports whether p, a block at most, is all zeros.
func isZero(p []byte) bool { return bytes.Equal(p, zeros[:len(p)]) }
