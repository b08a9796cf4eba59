// SPDX-License-Identifier: Apache-2.0

// Package tartest writes archives for tests, field by field, including those
// that no archiver writes.
package tartest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// An Entry is a header and its data. Numeric fields are written as given; an
// empty one gets a valid default.
type Entry struct {
	Type                       byte // written as it is, even NUL
	Name, Link                 string
	Mode, UID, GID, Size, Time string
	Data                       string
	Damage                     bool                // write a wrong checksum
	Poke                       func(header []byte) // edits the header before the checksum is set
}

// Bytes returns the header and the padded data.
func (e Entry) Bytes() []byte {
	h := make([]byte, 512)
	field := func(off, size int, value string) { copy(h[off:off+size], value) }
	number := func(off, size int, value, defaultValue string) {
		if value == "" {
			value = defaultValue
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
		setChecksum(h, 1)
	} else {
		setChecksum(h, 0)
	}
	return append(append(h, e.Data...), make([]byte, -len(e.Data)&511)...)
}

// Archive joins entries and appends two blocks of zeros.
func Archive(entries ...[]byte) []byte {
	return append(bytes.Join(entries, nil), make([]byte, 1024)...)
}

// Pax returns an extended header for the next entry.
func Pax(keysAndValues ...string) []byte { return records('x', keysAndValues) }

// Global returns a global header.
func Global(keysAndValues ...string) []byte { return records('g', keysAndValues) }

func records(flag byte, keysAndValues []string) []byte {
	var data string
	for i := 0; i < len(keysAndValues); i += 2 {
		data += Record(keysAndValues[i], keysAndValues[i+1])
	}
	return Entry{Name: "PaxHeader", Type: flag, Data: data}.Bytes()
}

// Record returns a pax record, LENGTH KEY=VALUE and a newline. The length
// includes itself.
func Record(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	size := len(rest)
	for size != len(rest)+len(strconv.Itoa(size)) {
		size = len(rest) + len(strconv.Itoa(size))
	}
	return strconv.Itoa(size) + rest
}

// OldSparse returns a Poke that makes an old GNU sparse header: up to four pairs
// of offset and length, and the size of the file.
func OldSparse(size int64, pairs ...int64) func([]byte) {
	return func(h []byte) {
		GNU(h)
		for i, v := range pairs {
			copy(h[386+12*i:], Octal(v))
		}
		copy(h[483:], Octal(size))
	}
}

// GNU is a Poke that sets the magic of the GNU format.
func GNU(h []byte) { copy(h[257:], "ustar  \x00") }

// Octal returns a field of 12 bytes, in base 256 if octal digits do not suffice.
func Octal(v int64) string {
	if v >= 1<<33 {
		return Base256(12, v)
	}
	return fmt.Sprintf("%011o\x00", v)
}

// Base256 returns a field of width bytes in the base-256 extension of GNU tar
// and star.
func Base256(width int, v int64) string {
	b := make([]byte, width)
	for i := range b {
		b[width-1-i] = byte(v >> min(63, 8*i))
	}
	b[0] |= 0x80
	return string(b)
}

// FixChecksums sets the checksum of every block that may be a header, so that a
// header changed by a fuzzer is parsed.
func FixChecksums(archive []byte) []byte {
	archive = bytes.Clone(archive)
	for rest := archive; len(rest) >= 512; rest = rest[512:] {
		if string(rest[257:262]) == "ustar" {
			setChecksum(rest[:512], 0)
		}
	}
	return archive
}

// setChecksum writes the checksum of a header plus delta.
func setChecksum(h []byte, delta int) {
	copy(h[148:156], strings.Repeat(" ", 8))
	sum := delta
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
}
