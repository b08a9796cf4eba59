// SPDX-License-Identifier: Apache-2.0

// Package sparse keeps files whose zero blocks are holes. A block that is all
// zeros takes no space, however it came: a rule that needs no bookkeeping and
// is the same on every host.
package sparse

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// BlockSize is the size of the blocks that are holes when all zeros, in bytes.
const BlockSize = 4096

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

// Write copies r into f, an empty file, leaving zero blocks out.
func Write(f *os.File, r io.Reader) (Usage, error) {
	end := int64(0)
	u, err := scan(r, func(p []byte, off int64) error {
		end = off + int64(len(p))
		_, err := f.WriteAt(p, off)
		return err
	})
	if err == nil && end < u.Size {
		err = f.Truncate(u.Size)
	}
	return u, err
}

// Count returns what Write would have left in a file with the content of r.
func Count(r io.Reader) (Usage, error) {
	return scan(r, func([]byte, int64) error { return nil })
}

// scan reads r to its end and hands out every run of blocks that are not all
// zeros; a run that spans two reads comes in two pieces.
func scan(r io.Reader, data func(p []byte, off int64) error) (Usage, error) {
	buf := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buf)
	var u Usage
	last := int64(-1) // the end of the last run
	for {
		n, err := fill(r, buf[:])
		if err != nil && err != io.EOF {
			return u, err
		}
		for from, to := range runs(buf[:n]) {
			if u.Size+from != last {
				u.Runs++
			}
			last = u.Size + to
			u.Blocks += (to - from + BlockSize - 1) / BlockSize
			if err := data(buf[from:to], u.Size+from); err != nil {
				return u, err
			}
		}
		u.Size += int64(n)
		if err == io.EOF {
			return u, nil
		}
	}
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

// runs yields the stretches of p, by block, that are not all zeros.
func runs(p []byte) func(yield func(from, to int64) bool) {
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
