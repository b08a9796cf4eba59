// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// extended holds the extended headers of the next entry: x of pax, and L and K
// of GNU tar, which hold a long name and a long link target.
type extended struct {
	headers    int   // number of headers
	size       int64 // total size in bytes
	name, link string
	records    []Record
}

// value returns the value of a key, or "". The last record of the key counts; an
// empty value means that it is unset.
func (e *extended) value(key string) string {
	for i := len(e.records) - 1; i >= 0; i-- {
		if e.records[i].Key == key {
			return e.records[i].Value
		}
	}
	return ""
}

func (e *extended) has(key string) bool { return e.value(key) != "" }

// extend reads an extended header.
func (r *Reader) extend(b *block) error {
	data, err := r.extendedData(b)
	if err != nil {
		return err
	}
	if r.extended.headers++; r.extended.headers > maxHeaders {
		return fmt.Errorf("too many extended headers (limit %d)", maxHeaders)
	}
	switch b.typeflag() {
	case 'L':
		r.extended.name = untilNUL(data)
	case 'K':
		r.extended.link = untilNUL(data)
	default:
		records, err := parseRecords(data)
		if err != nil {
			return err
		}
		r.extended.records = append(r.extended.records, records...)
	}
	return nil
}

// untilNUL returns the name in a header of GNU tar. It does not retain the header,
// which may be much longer.
func untilNUL(data string) string {
	name, _, _ := strings.Cut(data, "\x00")
	return strings.Clone(name)
}

// global reads a global header and ignores its records. Extended headers before
// it still apply to the next entry.
func (r *Reader) global(b *block) (*Header, error) {
	before := r.extended
	data, err := r.extendedData(b)
	if err == nil {
		_, err = parseRecords(data)
	}
	size := r.extended.size - before.size
	r.extended = before
	return &Header{Type: Global, Name: b.name(), Extended: size}, err
}

// extendedData reads the data of an extended header. It allocates memory only
// for bytes that follow, whatever the size field says.
func (r *Reader) extendedData(b *block) (string, error) {
	size, err := number(b[124:136])
	if err == nil && size < 0 {
		err = fmt.Errorf("%d is negative", size)
	}
	if err != nil {
		return "", fmt.Errorf("extended header: size: %w", err)
	}
	if r.extended.size += size; size > maxExtended || r.extended.size > maxExtended {
		return "", fmt.Errorf("extended headers too large (limit %d bytes)", maxExtended)
	}
	var data strings.Builder
	n, err := io.CopyN(&data, r.in, size)
	r.at += n
	if err != nil {
		return "", unexpectedEOF(err)
	}
	return data.String(), r.discard(-r.at & (blockSize - 1))
}

// parseRecords parses the records of a pax header. Each is LENGTH KEY=VALUE and
// a newline; the length includes itself.
func parseRecords(data string) ([]Record, error) {
	var records []Record
	for at := 0; at < len(data); {
		length, _, found := strings.Cut(data[at:min(len(data), at+20)], " ")
		n, err := strconv.ParseUint(length, 10, 31)
		if err != nil || !found || int(n) < len(length)+len(" k=\n") || int(n) > len(data)-at {
			return nil, fmt.Errorf("pax record at byte %d: invalid length %q", at, length)
		}
		record := data[at+len(length)+1 : at+int(n)]
		key, value, found := strings.Cut(record[:len(record)-1], "=")
		if record[len(record)-1] != '\n' || !found || key == "" {
			return nil, fmt.Errorf("pax record at byte %d: want KEY=VALUE and a newline", at)
		}
		records = append(records, Record{key, value})
		at += int(n)
	}
	return records, nil
}

// apply sets the fields that pax records override. Empty values are ignored.
func (h *Header) apply(e *extended) error {
	if name := e.value("path"); name != "" {
		h.Name = strings.Clone(name) // do not retain the header
	}
	if link := e.value("linkpath"); link != "" {
		h.Link = strings.Clone(link)
	}
	for _, field := range []struct {
		key  string
		into *int64
	}{{"uid", &h.UID}, {"gid", &h.GID}, {"size", &h.Size}} {
		value := e.value(field.key)
		if value == "" {
			continue
		}
		var err error
		if *field.into, err = decimal(value); err != nil {
			return fmt.Errorf("pax record %s: %w", field.key, err)
		}
	}
	if h.Size < 0 {
		return fmt.Errorf("invalid size %d", h.Size)
	}
	if value := e.value("mtime"); value != "" {
		var err error
		if h.Sec, h.Nsec, err = timestamp(value); err != nil {
			return fmt.Errorf("pax record mtime: %w", err)
		}
	}
	return nil
}
