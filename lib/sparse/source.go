// SPDX-License-Identifier: Apache-2.0

package sparse

import "io"

// A Stretch is a range of a file that holds data, in bytes.
type Stretch struct{ Off, Len int64 }

// A Source is the content of a file, read either whole or without its holes.
type Source struct {
	io.Reader           // of the whole content or, with Holes, of the Data ranges one after another
	Bytes     []byte    // what Reader would return, if already in memory
	Size      int64     // of the content in bytes, holes included
	Data      []Stretch // sorted; used only with Holes
	Holes     bool      // Reader omits everything outside Data, which is zeros
}

// Stored returns the number of bytes that Reader returns.
func (s *Source) Stored() int64 {
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
		var p patch
		p, rest = nextPatch(src, rest)
		if err := s.scan(&p, p.at); err != nil {
			return s.Usage, err
		}
	}
	s.Size = src.Size
	return s.Usage, nil
}

// A patch reads whole blocks that hold stretches which share a block or touch.
// The gaps between the stretches read as zeros.
type patch struct {
	in      io.Reader
	data    []Stretch
	at, end int64 // offsets of the next byte and of the end
}

// nextPatch returns the patch of the first stretches and the stretches left.
func nextPatch(src *Source, data []Stretch) (patch, []Stretch) {
	p := patch{in: src, at: data[0].Off / BlockSize * BlockSize}
	n := 0
	for n == 0 || n < len(data) && data[n].Off < p.end {
		p.end = Blocks(data[n].Off+data[n].Len) * BlockSize
		n++
	}
	p.data, p.end = data[:n], min(p.end, src.Size)
	return p, data[n:]
}

func (p *patch) Read(b []byte) (int, error) {
	switch {
	case p.at == p.end:
		return 0, io.EOF
	case len(p.data) == 0:
		return p.zeros(b, p.end), nil
	case p.at < p.data[0].Off:
		return p.zeros(b, p.data[0].Off), nil
	}
	end := p.data[0].Off + p.data[0].Len
	n, err := p.in.Read(b[:min(int64(len(b)), end-p.at)])
	if p.at += int64(n); p.at == end {
		p.data = p.data[1:]
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil // the end of src.Data, not of the patch
	}
	return n, err
}

// zeros reads from the hole that ends at end.
func (p *patch) zeros(b []byte, end int64) int {
	n := min(int64(len(b)), end-p.at)
	clear(b[:n])
	p.at += n
	return int(n)
}
