// SPDX-License-Identifier: Apache-2.0

// Package tartest writes archives for tests field by field: those that no
// writer of archives would write.
package tartest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// An Entry is a header and its data. Fields of numbers are as they are to
// stand in the header; left empty they are what one would expect.
type Entry struct {
	Type                       byte // NUL stays NUL
	Name, Link                 string
	Mode, UID, GID, Size, Time string
	Data                       string
	Damage                     bool                // of the header's checksum
	Poke                       func(header []byte) // changes what has no field here, before the checksum
}

// Bytes returns the entry as it stands in an archive, its data padded.
func (e Entry) Bytes() []byte {
	h := make([]byte, 512)
	field := func(off, size int, value string) { copy(h[off:off+size], value) }
	number := func(off, size int, value, usual string) {
		if value == "" {
			value = usual
		}
		field(off, size, value)
	}
	field(0, 100, e.Name)
	number(100, 8, e.Mode, "0000644\x00")
	number(108, 8, e.UID, "0000000\x00")
	number(116, 8, e.GID, "0000000\x00")
	number(124, 12, e.Size, fmt.Sprintf("%011o\x00", len(e.Data)))
	number(136, 12, e.Time, "00000000001\x00")
	h[156] = e.Type
	field(157, 100, e.Link)
	field(257, 8, "ustar\x0000")
	if e.Poke != nil {
		e.Poke(h)
	}
	if e.Damage {
		seal(h, 1)
	} else {
		seal(h, 0)
	}
	return append(append(h, e.Data...), make([]byte, -len(e.Data)&511)...)
}

// Archive puts entries together, and the two blocks of zeros after them.
func Archive(entries ...[]byte) []byte {
	return append(bytes.Join(entries, nil), make([]byte, 1024)...)
}

// Pax is an extended header of records, each a key and a value, for the entry
// after it.
func Pax(keysAndValues ...string) []byte { return records('x', keysAndValues) }

// Global is an extended header for the rest of the archive.
func Global(keysAndValues ...string) []byte { return records('g', keysAndValues) }

func records(flag byte, keysAndValues []string) []byte {
	var data string
	for i := 0; i < len(keysAndValues); i += 2 {
		data += Record(keysAndValues[i], keysAndValues[i+1])
	}
	return Entry{Name: "PaxHeader", Type: flag, Data: data}.Bytes()
}

// Record is LENGTH KEY=VALUE NEWLINE, the length counting itself.
func Record(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	size := len(rest)
	for size != len(rest)+len(strconv.Itoa(size)) {
		size = len(rest) + len(strconv.Itoa(size))
	}
	return strconv.Itoa(size) + rest
}

// OldSparse pokes the fields of GNU tar's own sparse header: up to four pairs
// of offset and length, and the file's whole size.
func OldSparse(size int64, pairs ...int64) func([]byte) {
	return func(h []byte) {
		GNU(h)
		for i, v := range pairs {
			copy(h[386+12*i:], Octal(v))
		}
		copy(h[483:], Octal(size))
	}
}

// GNU pokes the magic of GNU tar's own format.
func GNU(h []byte) { copy(h[257:], "ustar  \x00") }

// Octal is a field of 12 bytes; in base 256 what octal digits cannot hold.
func Octal(v int64) string {
	if v >= 1<<33 {
		return Base256(12, v)
	}
	return fmt.Sprintf("%011o\x00", v)
}

// Base256 is a field of so many bytes in GNU's and star's extension.
func Base256(width int, v int64) string {
	b := make([]byte, width)
	for i := range b {
		b[width-1-i] = byte(v >> min(63, 8*i))
	}
	b[0] |= 0x80
	return string(b)
}

// Mend gives every block that may be a header its checksum, so that what a
// fuzzer has changed in one is looked at.
func Mend(archive []byte) []byte {
	archive = bytes.Clone(archive)
	for rest := archive; len(rest) >= 512; rest = rest[512:] {
		if string(rest[257:262]) == "ustar" {
			seal(rest[:512], 0)
		}
	}
	return archive
}

// seal writes a header's checksum, or one that is off by so much.
func seal(h []byte, off int) {
	copy(h[148:156], strings.Repeat(" ", 8))
	sum := off
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
}
