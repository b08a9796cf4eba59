// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"banger/lib/sparse"
)

// maxStretches is how many stretches of data one sparse file may have: each is
// kept in memory until its file is written.
const maxStretches = 1 << 20

// sparse reads the map of a sparse file, in each of the four ways there are:
// GNU tar's own header, and its pax records of the versions 0.0, 0.1 and 1.0.
func (r *Reader) sparse(h *Header, b *block) error {
	e := &extended{records: h.Records}
	if name := e.value("GNU.sparse.name"); name != "" {
		h.Name = strings.Clone(name) // path is but where old tars are to put it
	}
	m := sparseMap{}
	var err error
	switch {
	case h.Type == 'S':
		h.Type = File
		err = r.oldMap(&m, b)
	case e.has("GNU.sparse.major") || e.has("GNU.sparse.minor"):
		err = r.versionedMap(&m, e)
	case e.has("GNU.sparse.size"):
		err = m.ofRecords(e)
	default:
		return nil
	}
	if err == nil {
		err = m.check(r.left)
	}
	if err != nil {
		return fmt.Errorf("sparse file %q: %w", h.Name, err)
	}
	h.Sparse, h.Size, h.Data = true, m.size, m.data
	return nil
}

// A sparseMap says where the data of a file belongs.
type sparseMap struct {
	size int64 // of the file, holes included
	read int   // stretches, those without data too
	data []sparse.Stretch
}

// add adds a stretch. GNU tar ends a map by one without data, at the file's end.
func (m *sparseMap) add(off, n int64) error {
	if m.read++; m.read > maxStretches {
		return fmt.Errorf("a map of more than %d stretches", maxStretches)
	}
	if n != 0 {
		m.data = append(m.data, sparse.Stretch{Off: off, Len: n})
	}
	return nil
}

// check holds the map against the data that the archive has of the file: in
// order, inside it, and no byte more or less.
func (m *sparseMap) check(stored int64) error {
	end := int64(0)
	for _, s := range m.data {
		if s.Off < end || s.Len < 0 || s.Len > m.size-s.Off {
			return fmt.Errorf("a map with %d bytes at %d, of a file of %d", s.Len, s.Off, m.size)
		}
		end = s.Off + s.Len
		stored -= s.Len
	}
	if m.size < 0 || stored != 0 {
		return errors.New("a map of more or less data than there is")
	}
	return nil
}

// Where GNU tar's own header has its map (tar.h, struct oldgnu_header): four
// stretches, and in each block that follows while "more" is set, 21.
const (
	oldMapAt, oldMapMore, oldSize = 386, 482, 483
	moreMapEnd                    = 21 * 24
)

func (r *Reader) oldMap(m *sparseMap, b *block) (err error) {
	if !b.isGNU() {
		return errors.New("the header is not GNU tar's")
	}
	if m.size, err = number(b[oldSize : oldSize+12]); err != nil {
		return err
	}
	more := b[oldMapMore] != 0
	if err := m.ofFields(b[oldMapAt:oldMapMore]); err != nil {
		return err
	}
	for more {
		var next block
		n, err := io.ReadFull(r.in, next[:])
		r.at += int64(n)
		if err != nil {
			return cut(err)
		}
		more = next[moreMapEnd] != 0
		if err := m.ofFields(next[:moreMapEnd]); err != nil {
			return err
		}
		if more && next[0] == 0 {
			return errors.New("a map that goes on behind its end")
		}
	}
	return nil
}

// ofFields reads pairs of offset and length, up to an empty one.
func (m *sparseMap) ofFields(fields []byte) error {
	for ; len(fields) >= 24 && fields[0] != 0; fields = fields[24:] {
		off, err := number(fields[:12])
		if err != nil {
			return err
		}
		n, err := number(fields[12:24])
		if err != nil {
			return err
		}
		if err := m.add(off, n); err != nil {
			return err
		}
	}
	return nil
}

// versionedMap reads a map of pax records that say their version.
func (r *Reader) versionedMap(m *sparseMap, e *extended) error {
	switch version := e.value("GNU.sparse.major") + "." + e.value("GNU.sparse.minor"); version {
	case "0.0", "0.1":
		return m.ofRecords(e)
	case "1.0":
		var err error
		if m.size, err = decimal(e.value("GNU.sparse.realsize")); err != nil {
			return fmt.Errorf("GNU.sparse.realsize: %w", err)
		}
		return r.mapBefore(m)
	default:
		return fmt.Errorf("version %q of the map is unknown", version)
	}
}

// ofRecords reads the map of version 0.1, numbers and commas in one record, or
// of 0.0, a record a number.
func (m *sparseMap) ofRecords(e *extended) (err error) {
	if m.size, err = decimal(e.value("GNU.sparse.size")); err != nil {
		return fmt.Errorf("GNU.sparse.size: %w", err)
	}
	if e.has("GNU.sparse.map") {
		err = m.ofList(e.value("GNU.sparse.map"))
	} else {
		err = m.ofPairs(e)
	}
	if count := e.value("GNU.sparse.numblocks"); err == nil && count != "" && count != strconv.Itoa(m.read) {
		err = fmt.Errorf("a map of %d stretches, and GNU.sparse.numblocks is %s", m.read, count)
	}
	return err
}

// ofList reads the map of version 0.1.
func (m *sparseMap) ofList(rest string) error {
	for more := true; more; {
		var off, n string
		off, rest, more = strings.Cut(rest, ",")
		if !more {
			return errors.New("a map of an odd number of numbers")
		}
		n, rest, more = strings.Cut(rest, ",")
		if err := m.addText(off, n); err != nil {
			return err
		}
	}
	return nil
}

// ofPairs reads the map of version 0.0.
func (m *sparseMap) ofPairs(e *extended) error {
	off := ""
	for _, record := range e.records {
		switch {
		case record.Key == "GNU.sparse.offset" && off == "":
			off = record.Value
		case record.Key == "GNU.sparse.numbytes" && off != "":
			if err := m.addText(off, record.Value); err != nil {
				return err
			}
			off = ""
		case record.Key == "GNU.sparse.offset" || record.Key == "GNU.sparse.numbytes":
			return errors.New("a map whose offsets and lengths do not take turns")
		}
	}
	if off != "" {
		return errors.New("a map of an odd number of numbers")
	}
	return nil
}

func (m *sparseMap) addText(off, n string) error {
	o, err := decimal(off)
	if err != nil {
		return err
	}
	l, err := decimal(n)
	if err != nil {
		return err
	}
	return m.add(o, l)
}

// mapBefore reads the map of version 1.0, which stands before the data in
// blocks of its own: the count, then offset and length of each stretch, a line
// a number.
func (r *Reader) mapBefore(m *sparseMap) error {
	stored := r.left
	lines := mapLines{r: r}
	count, err := lines.next()
	if err == nil && (count < 0 || count > stored/int64(len("0\n0\n"))) {
		return fmt.Errorf("a map of %d stretches in %d bytes", count, stored)
	}
	for i := int64(0); i < count && err == nil; i++ {
		var off, n int64
		if off, err = lines.next(); err == nil {
			n, err = lines.next()
		}
		if err == nil {
			err = m.add(off, n)
		}
	}
	return err
}

// mapLines reads numbers, block by block: what follows the last of them in its
// block is padding.
type mapLines struct {
	r     *Reader
	block block
	rest  []byte // of the block
}

func (l *mapLines) next() (int64, error) {
	var digits []byte
	for len(digits) < 20 {
		if len(l.rest) == 0 {
			if _, err := io.ReadFull(l.r, l.block[:]); err != nil {
				return 0, cut(err)
			}
			l.rest = l.block[:]
		}
		c := l.rest[0]
		l.rest = l.rest[1:]
		if c == '\n' {
			return decimal(string(digits))
		}
		digits = append(digits, c)
	}
	return 0, fmt.Errorf("a map with a line of %q", digits)
}
