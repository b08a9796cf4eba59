// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// extended is what extended headers say of the entry to come: pax's x, and
// GNU's L and K, which hold a long name and a long link.
type extended struct {
	headers    int   // how many
	size       int64 // bytes of all of them
	name, link string
	records    []Record
}

// value returns what a key stands for: the last record of it that is there. An
// empty value means as much as none.
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
		return fmt.Errorf("more than %d extended headers of one entry", maxHeaders)
	}
	switch b.typeflag() {
	case 'L':
		r.extended.name, _, _ = strings.Cut(data, "\x00")
	case 'K':
		r.extended.link, _, _ = strings.Cut(data, "\x00")
	default:
		records, err := parseRecords(data)
		if err != nil {
			return err
		}
		r.extended.records = append(r.extended.records, records...)
	}
	return nil
}

// global reads a global header, of which nothing is kept. An x before it still
// waits for its entry.
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

// extendedData reads the data of an extended header. Its size is believed only
// as far as bytes follow.
func (r *Reader) extendedData(b *block) (string, error) {
	size, err := number(b[124:136])
	if err == nil && size < 0 {
		err = fmt.Errorf("%d bytes", size)
	}
	if err != nil {
		return "", fmt.Errorf("extended header: size: %w", err)
	}
	if r.extended.size += size; size > maxExtended || r.extended.size > maxExtended {
		return "", fmt.Errorf("extended headers of more than %d bytes", maxExtended)
	}
	var data strings.Builder
	n, err := io.CopyN(&data, r.in, size)
	r.at += n
	if err != nil {
		return "", cut(err)
	}
	return data.String(), r.discard(-r.at & (blockSize - 1))
}

// parseRecords takes the records of a pax header apart, each LENGTH KEY=VALUE
// and a newline, the length counting itself.
func parseRecords(data string) ([]Record, error) {
	var records []Record
	for at := 0; at < len(data); {
		length, _, found := strings.Cut(data[at:min(len(data), at+20)], " ")
		n, err := strconv.ParseUint(length, 10, 31)
		if err != nil || !found || int(n) < len(length)+len(" k=\n") || int(n) > len(data)-at {
			return nil, fmt.Errorf("pax record at byte %d: a length of %q", at, length)
		}
		record := data[at+len(length)+1 : at+int(n)]
		key, value, found := strings.Cut(record[:len(record)-1], "=")
		if record[len(record)-1] != '\n' || !found || key == "" {
			return nil, fmt.Errorf("pax record at byte %d: not KEY=VALUE and a newline", at)
		}
		records = append(records, Record{key, value})
		at += int(n)
	}
	return records, nil
}

// apply lets pax records win over the header. An empty value leaves it be.
func (h *Header) apply(e *extended) error {
	if name := e.value("path"); name != "" {
		h.Name = strings.Clone(name) // not with all its header
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
		return fmt.Errorf("a size of %d bytes", h.Size)
	}
	if value := e.value("mtime"); value != "" {
		var err error
		if h.Sec, h.Nsec, err = timestamp(value); err != nil {
			return fmt.Errorf("pax record mtime: %w", err)
		}
	}
	return nil
}
