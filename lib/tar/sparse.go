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

// maxEntries limits the entries in the map of a sparse file, which are held in
// memory until the file is written.
const maxEntries = 1 << 20

// sparse reads the map of a sparse file in any of its four formats: the old GNU
// header, and pax records of versions 0.0, 0.1 and 1.0.
func (r *Reader) sparse(h *Header, b *block) error {
	e := &extended{records: h.Records}
	if name := e.value("GNU.sparse.name"); name != "" {
		h.Name = strings.Clone(name) // path is a placeholder for tars that know no sparse files
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
		err = m.readRecords(e)
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

// A sparseMap lists the ranges of data in a file.
type sparseMap struct {
	size  int64 // of the file, holes included
	count int   // entries read, empty ones included
	data  []sparse.Range
}

// add adds an entry. GNU tar ends a map with an empty one at the end of the
// file, which is dropped.
func (m *sparseMap) add(off, n int64) error {
	if m.count++; m.count > maxEntries {
		return fmt.Errorf("too many entries in map (limit %d)", maxEntries)
	}
	if n != 0 {
		m.data = append(m.data, sparse.Range{Off: off, Len: n})
	}
	return nil
}

// check checks that the entries are in order and inside the file, and that
// they add up to the data stored in the archive.
func (m *sparseMap) check(stored int64) error {
	end := int64(0)
	for _, s := range m.data {
		if s.Off < end || s.Len < 0 || s.Len > m.size-s.Off {
			return fmt.Errorf("invalid map: %d bytes at %d in a file of %d", s.Len, s.Off, m.size)
		}
		end = s.Off + s.Len
		stored -= s.Len
	}
	if m.size < 0 || stored != 0 {
		return errors.New("map does not match the size of the data")
	}
	return nil
}

// Offsets of the map in an old GNU header (tar.h, struct oldgnu_header). It has
// four entries, and each extension block that follows has 21.
const (
	oldMapAt, oldMapMore, oldSize = 386, 482, 483
	moreMapEnd                    = 21 * 24
)

func (r *Reader) oldMap(m *sparseMap, b *block) (err error) {
	if !b.isGNU() {
		return errors.New("not a GNU header")
	}
	if m.size, err = number(b[oldSize : oldSize+12]); err != nil {
		return err
	}
	more := b[oldMapMore] != 0
	if err := m.readFields(b[oldMapAt:oldMapMore]); err != nil {
		return err
	}
	for more {
		var next block
		n, err := io.ReadFull(r.in, next[:])
		r.at += int64(n)
		if err != nil {
			return unexpectedEOF(err)
		}
		more = next[moreMapEnd] != 0
		if err := m.readFields(next[:moreMapEnd]); err != nil {
			return err
		}
		if more && next[0] == 0 {
			return errors.New("map continues after its end")
		}
	}
	return nil
}

// readFields reads pairs of offset and length, up to an empty one.
func (m *sparseMap) readFields(fields []byte) error {
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

// versionedMap reads the map of pax records with a version.
func (r *Reader) versionedMap(m *sparseMap, e *extended) error {
	switch version := e.value("GNU.sparse.major") + "." + e.value("GNU.sparse.minor"); version {
	case "0.0", "0.1":
		return m.readRecords(e)
	case "1.0":
		var err error
		if m.size, err = decimal(e.value("GNU.sparse.realsize")); err != nil {
			return fmt.Errorf("GNU.sparse.realsize: %w", err)
		}
		return r.dataMap(m)
	default:
		return fmt.Errorf("unknown map version %q", version)
	}
}

// readRecords reads a map of version 0.1, a comma-separated list in one record,
// or of version 0.0, one record per number.
func (m *sparseMap) readRecords(e *extended) (err error) {
	if m.size, err = decimal(e.value("GNU.sparse.size")); err != nil {
		return fmt.Errorf("GNU.sparse.size: %w", err)
	}
	if e.has("GNU.sparse.map") {
		err = m.readList(e.value("GNU.sparse.map"))
	} else {
		err = m.readPairs(e)
	}
	if count := e.value("GNU.sparse.numblocks"); err == nil && count != "" && count != strconv.Itoa(m.count) {
		err = fmt.Errorf("map has %d entries, but GNU.sparse.numblocks is %s", m.count, count)
	}
	return err
}

var errOddMap = errors.New("odd number of values in map")

// readList reads the map of version 0.1.
func (m *sparseMap) readList(rest string) error {
	for more := true; more; {
		var off, n string
		off, rest, more = strings.Cut(rest, ",")
		if !more {
			return errOddMap
		}
		n, rest, more = strings.Cut(rest, ",")
		if err := m.addText(off, n); err != nil {
			return err
		}
	}
	return nil
}

// readPairs reads the map of version 0.0.
func (m *sparseMap) readPairs(e *extended) error {
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
			return errors.New("offsets and lengths of map do not alternate")
		}
	}
	if off != "" {
		return errOddMap
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

// dataMap reads the map of version 1.0, which precedes the data in blocks of its
// own: the count, then the offset and length of each entry, one per line.
func (r *Reader) dataMap(m *sparseMap) error {
	stored := r.left
	lines := mapLines{r: r}
	count, err := lines.next()
	if err == nil && (count < 0 || count > stored/int64(len("0\n0\n"))) {
		return fmt.Errorf("invalid map: %d entries in %d bytes", count, stored)
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

// mapLines reads one number per line. It reads whole blocks; the rest of the
// last block is padding.
type mapLines struct {
	r     *Reader
	block block
	rest  []byte // unread part of block
}

func (l *mapLines) next() (int64, error) {
	var digits []byte
	for len(digits) < 20 {
		if len(l.rest) == 0 {
			if _, err := io.ReadFull(l.r, l.block[:]); err != nil {
				return 0, unexpectedEOF(err)
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
	return 0, fmt.Errorf("invalid line %q in map", digits)
}
