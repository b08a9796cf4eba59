// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entrySize is the size of a map entry: the CRC-32C of a unit, little-endian, 0 if
// the unit is not complete. A CRC of 0 is written as 1.
const entrySize = 4

func entryOf(crc uint32) uint32 { return max(crc, 1) }

// write writes bytes of one unit at the position of a span that the caller owns, then
// the unit's map entry if they complete it.
func (f *fetch) write(from *source, s *span, p []byte) error {
	at := s.pos
	if _, err := f.file.WriteAt(p, at); err != nil {
		return local(err)
	}
	crc := crc32.Update(s.crc, castagnoli, p)
	end := at + int64(len(p))
	complete := end%f.unit == 0 || end == f.Size
	if complete {
		if err := f.enter(at/f.unit, entryOf(crc)); err != nil {
			return local(err)
		}
		crc = 0
	}
	f.advance(from, s, end, crc)
	f.flusher.add(len(p))
	if !f.prefix.add(at, p) && complete {
		f.prefix.poke()
	}
	f.progress(int64(len(p)))
	return nil
}

// enter writes a map entry.
func (f *fetch) enter(unit int64, entry uint32) error {
	var raw [entrySize]byte
	binary.LittleEndian.PutUint32(raw[:], entry)
	_, err := f.checksums.WriteAt(raw[:], unit*entrySize)
	return err
}

func (f *fetch) advance(from *source, s *span, pos int64, crc uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.pos, s.crc = pos, crc
	f.first, f.last = min(f.first, from.index), max(f.last, from.index)
}

// A localError is an error of this machine, which no host can help.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

func local(err error) error { return localError{err} }
