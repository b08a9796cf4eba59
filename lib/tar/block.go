// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"errors"
	"fmt"
)

// A block is a header as it stands in the archive: fields of fixed places, as
// POSIX's ustar has them.
type block [blockSize]byte

func (b *block) name() string   { return text(b[0:100]) }
func (b *block) link() string   { return text(b[157:257]) }
func (b *block) typeflag() byte { return b[156] }

// text is a field up to its NUL, if it has one.
func text(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

// errHeader is what a block without the right checksum is.
var errHeader = errors.New("damaged header: its checksum does not match")

// check holds the block against its checksum: the sum of its bytes, those of
// the checksum itself taken as spaces. Some old archivers took bytes as signed.
func (b *block) check() error {
	said, err := number(b[148:156])
	if err != nil {
		return errHeader
	}
	var unsigned, signed int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	if said != unsigned && said != signed {
		return errHeader
	}
	return nil
}

// isGNU tells GNU tar's own format, which puts other things where ustar has the
// prefix of the name.
func (b *block) isGNU() bool { return string(b[257:265]) == "ustar  \x00" }

// path is the whole name: ustar puts the front of a long one in a field of its
// own, of 155 bytes; star, which signs at the end, of 131.
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

// misplacedPrefix is the prefix that Go's archive/tar before 1.8, and so Docker
// in its first years, put into GNU headers of files with big numbers
// (golang/go#12594). GNU tar has times there, or nothing.
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

// entry makes an entry of a header. What extended headers say wins.
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

// overruled are the fields whose place a pax record of that name takes. There is
// no record of a mode, nor of a device's numbers.
var overruled = map[string]bool{"uid": true, "gid": true, "size": true, "mtime": true}

// numbers reads the fields that are numbers. Where a pax record takes the place
// of one, it is not looked at; nor are the fields that only devices have.
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
		if overruled[f.name] && e.has(f.name) || f.from >= 329 && h.Type != Char && h.Type != Block {
			continue
		}
		if *f.into, err = number(b[f.from:f.to]); err != nil && (f.name != "mtime" || !errors.Is(err, errRange)) {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if h.Size < 0 {
		return fmt.Errorf("a size of %d bytes", h.Size)
	}
	return nil
}
