// SPDX-License-Identifier: Apache-2.0

// Package tar reads archives as every tar of the last forty years has written
// them: V7, ustar, pax, star, and GNU with its long names and sparse files. It
// believes sizes and counts only as far as bytes follow, and takes the end of
// an archive only where one may be.
//
// The formats are POSIX.1-2017's pax, "pax Interchange Format" and "ustar
// Interchange Format", and "Basic Tar Format" and "Storing Sparse Files" of GNU
// tar's manual.
package tar

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"banger/lib/sparse"
)

// Typeflags, the types of entries.
const (
	File    = '0' // and NUL, and GNU's 'S'
	Link    = '1'
	Symlink = '2'
	Char    = '3'
	Block   = '4'
	Dir     = '5'
	Fifo    = '6'
	Contig  = '7' // a file, all in one piece
	Global  = 'g' // records for the rest of the archive: no file
)

// A Header is an entry of an archive, what extended headers say of it included.
type Header struct {
	Type         byte // the typeflag
	Name, Link   string
	Mode         int64
	UID, GID     int64
	Sec          int64 // mtime, seconds since 1970; past what an int64 holds, the last it does
	Nsec         uint32
	Major, Minor int64
	Size         int64            // of the content, holes included
	Data         []sparse.Stretch // of a sparse file, where in the content the data is
	Sparse       bool
	Records      []Record // all pax records of the entry, in their order
	Extended     int64    // bytes of extended headers
}

// A Record is one of pax's, KEY=VALUE.
type Record struct{ Key, Value string }

// blockSize is the unit of tar, in bytes.
const blockSize = 512

// maxExtended bounds the extended headers of an entry, in bytes: they are read
// into memory. Sixty attributes of 64 KiB go in.
const maxExtended = 4 << 20

// maxHeaders is how many there may be of them: an empty one counts no bytes.
// Archivers write three at most.
const maxHeaders = 100

// A Reader reads an archive entry by entry, each header and then its data.
type Reader struct {
	// Terminated tells, after Next has returned io.EOF, whether the archive
	// said itself that it ends, by two blocks of zeros.
	Terminated bool

	in       *bufio.Reader
	block    block // the header read last
	at       int64 // bytes read
	left     int64 // bytes of the entry's data to come
	extended extended
}

// NewReader returns a reader of an archive. It reads ahead: what follows the
// end of the archive is to be had from Rest.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 64<<10)}
}

// Rest returns what follows the end of the archive.
func (r *Reader) Rest() io.Reader { return r.in }

// Next passes over what is left of an entry's data and returns the next entry.
// At the end, and only where an archive may end, it returns io.EOF.
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
		h, err := r.take(b)
		if err != nil {
			return nil, fmt.Errorf("entry at byte %d: %w", at, err)
		}
		if h != nil {
			return h, nil
		}
	}
}

// take reads what follows a header: an entry is returned, the extended headers
// of one to come are kept.
func (r *Reader) take(b *block) (*Header, error) {
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

// entry makes an entry of its header and the extended ones before it.
func (r *Reader) entry(b *block) (*Header, error) {
	h, err := b.entry(&r.extended)
	if err != nil {
		return nil, err
	}
	r.left = h.Size
	switch h.Type {
	case Symlink, Char, Block, Dir, Fifo:
		h.Size, r.left = 0, 0 // whatever it said: these have no data
	case Link:
		if h.Size, err = r.linkData(h.Size); err != nil {
			return nil, err
		}
		r.left = h.Size
	case File, Contig, 'S':
		err = r.sparse(h, b)
	}
	return h, err
}

// linkData tells how many bytes of data a hard link has. Most archivers give it
// the size of the file and no data: then what follows is a header, or the end.
func (r *Reader) linkData(size int64) (int64, error) {
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

// Read reads the data of an entry; a sparse file's without its holes.
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

// finish reads the rest of an entry's data, and the padding after it. The last
// entry's padding may be missing.
func (r *Reader) finish() error {
	if err := r.discard(r.left); err != nil {
		return err
	}
	r.left = 0
	err := r.discard(-r.at & (blockSize - 1))
	if err == io.ErrUnexpectedEOF {
		err = nil // which the next header finds again
	}
	return err
}

// discard passes over so many bytes.
func (r *Reader) discard(n int64) error {
	for n > 0 {
		// In pieces: Discard takes an int.
		m, err := r.in.Discard(int(min(n, 1<<30)))
		r.at += int64(m)
		n -= int64(m)
		if err != nil {
			return cut(err)
		}
	}
	return nil
}

// header reads the next header's block, its checksum checked.
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
		return nil, cut(err)
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("entry at byte %d: %w", r.at-blockSize, err)
	}
	return b, nil
}

// end reads what ends an archive: two blocks of zeros, fewer if nothing follows.
// n bytes of the first have been read.
func (r *Reader) end(n int) error {
	if r.extended.headers > 0 {
		return io.ErrUnexpectedEOF // what it extends is missing
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
		return fmt.Errorf("entry at byte %d: a lone block of zeros before it", r.at-int64(n))
	}
	r.Terminated = n == blockSize
	return io.EOF
}

// cut makes an end where none may be an error.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var zeros block

// isZero tells whether up to a block of bytes are all zeros.
func isZero(p []byte) bool { return bytes.Equal(p, zeros[:len(p)]) }
