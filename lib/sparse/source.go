// SPDX-License-Identifier: Apache-2.0

package sparse

import "io"

// A Stretch is a part of a file that has data, to the byte.
type Stretch struct{ Off, Len int64 }

// A Source is the content of a file as it comes: whole, or without its holes.
type Source struct {
	io.Reader           // of the data, stretch by stretch
	Bytes     []byte    // all of what Reader would read, if it is in memory already
	Size      int64     // of the content, holes included
	Data      []Stretch // in order; not looked at unless Holes
	Holes     bool      // what is not in Data is zeros, and does not come
}

// Stored returns how many bytes come.
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

// Scan reads a source and hands out every run of blocks that are not all zeros,
// in order; a long one in several pieces. What lies between costs nothing.
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

// A patch is whole blocks with stretches in them that share blocks, or that
// meet: what is between the stretches is read as zeros.
type patch struct {
	in      io.Reader
	data    []Stretch
	at, end int64 // at is the first byte still to come
}

// nextPatch takes the first patch off a list of stretches.
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
		err = nil // of the data, not of the patch
	}
	return n, err
}

// zeros reads a part of a hole, which ends at end.
func (p *patch) zeros(b []byte, end int64) int {
	n := min(int64(len(b)), end-p.at)
	clear(b[:n])
	p.at += n
	return int(n)
}
