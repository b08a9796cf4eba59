// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"strconv"
	"strings"
)

// A raw entry is written field by field, for what archive/tar would not write.
type raw struct {
	name, link string
	flag       byte   // NUL stays NUL
	uid        string // as it stands in the field; "0" if empty
	size       string // as it stands in the field; that of data if empty
	data       string
	damage     bool         // of the header's checksum
	poke       func([]byte) // other fields, before the checksum
}

func (r raw) bytes() []byte {
	h := make([]byte, 512)
	field := func(off, size int, value string) { copy(h[off:off+size], value) }
	field(0, 100, r.name)
	field(100, 8, "0000644\x00")
	field(108, 8, r.uid)
	if r.uid == "" {
		field(108, 8, "0000000\x00")
	}
	field(116, 8, "0000000\x00")
	field(124, 12, r.size)
	if r.size == "" {
		field(124, 12, fmt.Sprintf("%011o\x00", len(r.data)))
	}
	field(136, 12, "00000000001\x00")
	h[156] = r.flag
	field(157, 100, r.link)
	field(257, 8, "ustar\x0000")
	if r.poke != nil {
		r.poke(h)
	}
	field(148, 8, strings.Repeat(" ", 8))
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	if r.damage {
		sum++
	}
	field(148, 8, fmt.Sprintf("%06o\x00 ", sum))
	return append(append(h, r.data...), make([]byte, -len(r.data)&511)...)
}

// paxHeader is an extended header of records, each a key and a value. As a
// global one it holds for the rest of the archive.
func paxHeader(global bool, keysAndValues ...string) []byte {
	var records string
	for i := 0; i < len(keysAndValues); i += 2 {
		records += paxRecord(keysAndValues[i], keysAndValues[i+1])
	}
	flag := byte('x')
	if global {
		flag = 'g'
	}
	return raw{name: "PaxHeader", flag: flag, data: records}.bytes()
}

// paxRecord is LENGTH KEY=VALUE NEWLINE, the length counting itself.
func paxRecord(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	size := len(rest)
	for size != len(rest)+len(strconv.Itoa(size)) {
		size = len(rest) + len(strconv.Itoa(size))
	}
	return strconv.Itoa(size) + rest
}
