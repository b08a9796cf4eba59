// SPDX-License-Identifier: Apache-2.0

// Package sparse keeps files whose zero blocks are holes. A block that is all
// zeros takes no space, however it came: a rule that needs no bookkeeping and
// is the same on every host.
package sparse

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
)

// BlockSize is the size of the blocks that are holes when all zeros, in bytes.
const BlockSize = 4096

// Blocks returns how many blocks hold so many bytes.
func Blocks(size int64) int64 { return (size + BlockSize - 1) / BlockSize }

// chunk is how much is read and written at once.
const chunk = 64 * BlockSize

var (
	zeros   [BlockSize]byte
	buffers = sync.Pool{New: func() any { return new([chunk]byte) }}
)

// A Usage counts the blocks of a file that are not all zeros.
type Usage struct {
	Size   int64 // bytes, holes included
	Blocks int64 // blocks that are not all zeros
	Runs   int64 // stretches that these blocks form
}

// Write writes a source into f, an empty file, leaving zero blocks out.
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

// Count returns what Write would have left in a file with the content of f.
// Holes of f are not read.
func Count(ctx context.Context, f *os.File) (Usage, error) {
	return ScanFile(f, func([]byte, int64) error { return ctx.Err() })
}

// ScanFile is Scan of a file. Its holes are not read.
func ScanFile(f *os.File, data func(p []byte, off int64) error) (Usage, error) {
	info, err := f.Stat()
	if err != nil {
		return Usage{}, err
	}
	s := scanner{data: data}
	err = Stretches(f, info.Size(), func(from, to int64) error {
		return s.scan(io.NewSectionReader(f, from, to-from), from)
	})
	if err == nil {
		s.Size = max(s.Size, info.Size())
	}
	return s.Usage, err
}

// Estimate returns the most that Count could, without reading f: what the host
// keeps as a hole is one.
func Estimate(f *os.File, size int64) (Usage, error) {
	u, end := Usage{Size: size}, int64(-1)
	err := Stretches(f, size, func(from, to int64) error {
		u.Blocks += Blocks(to - from)
		if from != end {
			u.Runs++
		}
		end = to
		return nil
	})
	return u, err
}

// Stretches calls visit for each stretch of the first size bytes of f that the
// host does not keep as a hole, from block to block, the last to the end.
func Stretches(f *os.File, size int64, visit func(from, to int64) error) error {
	for at := int64(0); at < size; {
		from, to, err := NextData(f, at)
		if err != nil || from == to {
			return err
		}
		// The host's blocks may be smaller than ours.
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

// A scanner finds the blocks of a file that are not all zeros.
type scanner struct {
	Usage
	end  int64 // of the last run
	data func(p []byte, off int64) error
}

// scan reads r, what the file has at an offset, to its end, and hands out every
// run of blocks that are not all zeros; one that spans two reads in two pieces.
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

// piece hands out the runs of what comes next.
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

// fill reads until p is full or r ends. Unlike io.ReadFull it leaves the error
// of r as it is: EOF is the end, ErrUnexpectedEOF is a file cut short.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// Interruptible returns a reader that a context ends.
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

// Zero tells whether all bytes are zeros.
func Zero(p []byte) bool {
	for len(p) > BlockSize {
		if !bytes.Equal(p[:BlockSize], zeros[:]) {
			return false
		}
		p = p[BlockSize:]
	}
	return bytes.Equal(p, zeros[:len(p)])
}

// Runs yields the stretches of p, by block, that are not all zeros.
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
