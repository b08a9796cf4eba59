// SPDX-License-Identifier: Apache-2.0

package sparse

import "io"

// A Range is a range of a file that holds data, in bytes.
type Range struct{ Off, Len int64 }

// A Source is the content of a file, read either whole or without its holes.
type Source struct {
	io.Reader         // of the whole content or, with Holes, of the Data ranges one after another
	Bytes     []byte  // what Reader would return, if already in memory
	Size      int64   // of the content in bytes, holes included
	Data      []Range // sorted; used only with Holes
	Holes     bool    // Reader omits everything outside Data, which is zeros
}

// StoredSize returns the number of bytes that Reader returns.
func (s *Source) StoredSize() int64 {
	if !s.Holes {
		return s.Size
	}
	stored := int64(0)
	for _, d := range s.Data {
		stored += d.Len
	}
	return stored
}

// Scan reads src and calls data for each run of nonzero blocks, in order. It
// splits a long run into several calls.
func Scan(src *Source, data func(p []byte, off int64) error) (Usage, error) {
	s := scanner{data: data}
	switch {
	case !src.Holes && src.Bytes != nil:
		err := s.piece(src.Bytes)
		return s.Usage, err
	case !src.Holes:
		err := s.scan(src, 0)
		return s.Usage, err
	}
	for rest := src.Data; len(rest) > 0; {
		var r rangeReader
		r, rest = nextRanges(src, rest)
		if err := s.scan(&r, r.at); err != nil {
			return s.Usage, err
		}
	}
	s.Size = src.Size
	return s.Usage, nil
}

// A rangeReader reads the blocks of ranges that share a block or touch. The gaps
// between the ranges read as zeros.
type rangeReader struct {
	in      io.Reader
	data    []Range
	at, end int64 // offsets of the next byte and of the end
}

// nextRanges returns a reader of the first ranges and the ranges left.
func nextRanges(src *Source, data []Range) (rangeReader, []Range) {
	r := rangeReader{in: src, at: data[0].Off / BlockSize * BlockSize}
	n := 0
	for n == 0 || n < len(data) && data[n].Off < r.end {
		r.end = Blocks(data[n].Off+data[n].Len) * BlockSize
		n++
	}
	r.data, r.end = data[:n], min(r.end, src.Size)
	return r, data[n:]
}

func (r *rangeReader) Read(b []byte) (int, error) {
	switch {
	case r.at == r.end:
		return 0, io.EOF
	case len(r.data) == 0:
		return r.zeros(b, r.end), nil
	case r.at < r.data[0].Off:
		return r.zeros(b, r.data[0].Off), nil
	}
	end := r.data[0].Off + r.data[0].Len
	n, err := r.in.Read(b[:min(int64(len(b)), end-r.at)])
	if r.at += int64(n); r.at == end {
		r.data = r.data[1:]
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil // the end of src.Data, not of the ranges
	}
	return n, err
}

// zeros reads from the hole that ends at end.
func (r *rangeReader) zeros(b []byte, end int64) int {
	n := min(int64(len(b)), end-r.at)
	clear(b[:n])
	r.at += n
	return int(n)
}
