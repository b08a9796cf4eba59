// SPDX-License-Identifier: Apache-2.0

// Package sparse reads and writes sparse files. Every block of zeros becomes a
// hole, whether or not it was one in the source, so the result does not depend
// on the host.
package sparse

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
)

// BlockSize is the block size in bytes. Holes consist of whole blocks.
const BlockSize = 4096

// Blocks returns the number of blocks that hold size bytes.
func Blocks(size int64) int64 { return (size + BlockSize - 1) / BlockSize }

// chunk is the size of reads and writes in bytes.
const chunk = 64 * BlockSize

var (
	zeros   [BlockSize]byte
	buffers = sync.Pool{New: func() any { return new([chunk]byte) }}
)

// A Usage counts the nonzero blocks of a file.
type Usage struct {
	Size   int64 // bytes, holes included
	Blocks int64 // nonzero blocks
	Runs   int64 // runs of adjacent nonzero blocks
}

// Write writes src to f, which must be empty. Zero blocks become holes.
func Write(f *os.File, src *Source) (Usage, error) {
	end := int64(0)
	usage, err := Scan(src, func(p []byte, off int64) error {
		end = off + int64(len(p))
		_, err := f.WriteAt(p, off)
		return err
	})
	if err == nil && end < usage.Size {
		err = f.Truncate(usage.Size)
	}
	return usage, err
}

// ScanFile is like Scan for a file. It does not read holes.
func ScanFile(f *os.File, data func(p []byte, off int64) error) (Usage, error) {
	info, err := f.Stat()
	if err != nil {
		return Usage{}, err
	}
	s := scanner{data: data}
	err = Ranges(f, info.Size(), func(from, to int64) error {
		return s.scan(io.NewSectionReader(f, from, to-from), from)
	})
	if err == nil {
		s.Size = max(s.Size, info.Size())
	}
	return s.Usage, err
}

// Estimate returns an upper bound of what ScanFile would return, without reading f.
// It counts every block that the host does not store as a hole.
func Estimate(f *os.File, size int64) (Usage, error) {
	u, end := Usage{Size: size}, int64(-1)
	err := Ranges(f, size, func(from, to int64) error {
		u.Blocks += Blocks(to - from)
		if from != end {
			u.Runs++
		}
		end = to
		return nil
	})
	return u, err
}

// Ranges calls visit for each range of the first size bytes of f that the
// host does not store as a hole. Ranges consist of whole blocks; the last may
// end at size.
func Ranges(f *os.File, size int64, visit func(from, to int64) error) error {
	for at := int64(0); at < size; {
		from, to, err := NextData(f, at)
		if err != nil || from == to {
			return err
		}
		// The host's blocks may be smaller than BlockSize.
		from = max(at, from/BlockSize*BlockSize)
		at = min(Blocks(to)*BlockSize, size)
		if from >= at {
			continue
		}
		if err := visit(from, at); err != nil {
			return err
		}
	}
	return nil
}

// A scanner finds the nonzero blocks of a file.
type scanner struct {
	Usage
	end  int64 // offset of the end of the last run
	data func(p []byte, off int64) error
}

// scan reads r, the content from offset at on, and calls s.data for each run of
// nonzero blocks. It splits a run that spans two reads.
func (s *scanner) scan(r io.Reader, at int64) error {
	buf := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buf)
	s.Size = at
	for {
		n, err := fill(r, buf[:])
		if err != nil && err != io.EOF {
			return err
		}
		if err := s.piece(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
	}
}

// piece calls s.data for each run in p, the next part of the content.
func (s *scanner) piece(p []byte) error {
	for from, to := range Runs(p) {
		if s.Size+from != s.end || s.Runs == 0 {
			s.Runs++
		}
		s.end = s.Size + to
		s.Blocks += Blocks(to - from)
		if err := s.data(p[from:to], s.Size+from); err != nil {
			return err
		}
	}
	s.Size += int64(len(p))
	return nil
}

// fill reads until p is full or r fails. Unlike io.ReadFull it returns r's error
// unchanged: io.EOF at the end, io.ErrUnexpectedEOF if r is truncated.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// Interruptible returns a reader that fails once ctx is done.
func Interruptible(ctx context.Context, r io.Reader) io.Reader { return &interruptible{ctx, r} }

type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// Zero reports whether all bytes of p are zero.
func Zero(p []byte) bool {
	for len(p) > BlockSize {
		if !bytes.Equal(p[:BlockSize], zeros[:]) {
			return false
		}
		p = p[BlockSize:]
	}
	return bytes.Equal(p, zeros[:len(p)])
}

// Runs yields the offsets of each run of nonzero blocks in p.
func Runs(p []byte) func(yield func(from, to int64) bool) {
	return func(yield func(from, to int64) bool) {
		from := -1
		for at := 0; at < len(p); at += BlockSize {
			block := p[at:min(at+BlockSize, len(p))]
			zero := bytes.Equal(block, zeros[:len(block)])
			if zero && from >= 0 {
				if !yield(int64(from), int64(at)) {
					return
				}
				from = -1
			}
			if !zero && from < 0 {
				from = at
			}
		}
		if from >= 0 {
			yield(int64(from), int64(len(p)))
		}
	}
}
