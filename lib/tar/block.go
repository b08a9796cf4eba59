// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"errors"
	"fmt"
)

// A block is a raw header in the layout of POSIX ustar.
type block [blockSize]byte

func (b *block) name() string   { return text(b[0:100]) }
func (b *block) link() string   { return text(b[157:257]) }
func (b *block) typeflag() byte { return b[156] }

// text returns a field up to its first NUL.
func text(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

var errChecksum = errors.New("invalid header checksum")

// check verifies the checksum: the sum of all bytes, with the checksum field
// taken as spaces. Some old archivers sum signed bytes.
func (b *block) check() error {
	want, err := number(b[148:156])
	if err != nil {
		return errChecksum
	}
	var unsigned, signed int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	if want != unsigned && want != signed {
		return errChecksum
	}
	return nil
}

// isGNU reports whether the header is in GNU format, which has other fields in
// place of the ustar prefix.
func (b *block) isGNU() bool { return string(b[257:265]) == "ustar  \x00" }

// path returns the whole name. The prefix field has 155 bytes in ustar, and 131
// in star, which has a magic at the end of the header.
func (b *block) path() string {
	prefix := ""
	switch {
	case b.isGNU():
		prefix = b.misplacedPrefix()
	case string(b[257:262]) != "ustar":
	case string(b[508:512]) == "tar\x00":
		prefix = text(b[345:476])
	default:
		prefix = text(b[345:500])
	}
	if prefix == "" {
		return b.name()
	}
	return prefix + "/" + b.name()
}

// misplacedPrefix returns the prefix that archive/tar of Go before 1.8, and so
// early Docker, wrote into GNU headers with base-256 numbers (golang/go#12594).
// GNU tar has the optional atime and ctime there.
func (b *block) misplacedPrefix() string {
	_, atime := number(b[345:357])
	_, ctime := number(b[357:369])
	if atime == nil && ctime == nil {
		return ""
	}
	prefix := text(b[345:500])
	for _, c := range []byte(prefix) {
		if c >= 0x80 {
			return ""
		}
	}
	return prefix
}

// entry returns the entry of a header. Values of extended headers take
// precedence.
func (b *block) entry(e *extended) (*Header, error) {
	h := &Header{Type: b.typeflag(), Name: b.path(), Link: b.link(), Records: e.records, Extended: e.size}
	if h.Type == 0 {
		h.Type = File
	}
	if err := b.numbers(h, e); err != nil {
		return nil, err
	}
	if e.name != "" {
		h.Name = e.name
	}
	if e.link != "" {
		h.Link = e.link
	}
	return h, h.apply(e)
}

// overridable names the fields that a pax record overrides. There are no records
// for the mode and the device numbers.
var overridable = map[string]bool{"uid": true, "gid": true, "size": true, "mtime": true}

// numbers parses the numeric fields. It skips those that a pax record overrides,
// and the device numbers of anything but a device.
func (b *block) numbers(h *Header, e *extended) (err error) {
	for _, f := range []struct {
		name     string
		from, to int
		into     *int64
	}{
		{"mode", 100, 108, &h.Mode}, {"uid", 108, 116, &h.UID}, {"gid", 116, 124, &h.GID},
		{"size", 124, 136, &h.Size}, {"mtime", 136, 148, &h.Sec},
		{"devmajor", 329, 337, &h.Major}, {"devminor", 337, 345, &h.Minor},
	} {
		if overridable[f.name] && e.has(f.name) || f.from >= 329 && h.Type != Char && h.Type != Block {
			continue
		}
		if *f.into, err = number(b[f.from:f.to]); err != nil && (f.name != "mtime" || !errors.Is(err, errRange)) {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if h.Size < 0 {
		return fmt.Errorf("invalid size %d", h.Size)
	}
	return nil
}
