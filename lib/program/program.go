// SPDX-License-Identifier: Apache-2.0

// Package program reads an ELF program as far as what runs it does: its header
// and its segments (elf(5)).
package program

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// maxSegments bounds the headers of segments, in bytes, as the kernel does
// (fs/binfmt_elf.c, load_elf_phdrs).
const maxSegments = 64 << 10

// Open reads a program's header and its segments, but no sections: of those a
// file may claim more than there is memory for, and a program has no use for
// them.
func Open(r io.ReaderAt) (*elf.File, error) {
	head := make([]byte, 64)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	h := header{head[:n], r}
	if err := h.hideSections(); err != nil {
		return nil, err
	}
	return elf.NewFile(h)
}

// A header is a program whose header is replaced.
type header struct {
	head []byte
	io.ReaderAt
}

// ReadAt reads the program, and the header as it now is.
func (h header) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(p, off)
	if off >= 0 && off < int64(len(h.head)) {
		copy(p[:n], h.head[off:])
	}
	return n, err
}

// hideSections has the header speak of none, and refuses more segments than
// the kernel would. What is wrong otherwise, debug/elf says.
func (h header) hideSections() error {
	f, is := fields[elf.Class(h.at(elf.EI_CLASS))]
	if !is || len(h.head) < f.end {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.at(elf.EI_DATA) == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	size := int(order.Uint16(h.head[f.shentsize-4:])) * int(order.Uint16(h.head[f.shentsize-2:]))
	if size > maxSegments {
		return fmt.Errorf("segments described by %d bytes, more than %d", size, maxSegments)
	}
	clear(h.head[f.shoff:f.flags])
	clear(h.head[f.shentsize:f.end])
	return nil
}

func (h header) at(i int) byte {
	if i < len(h.head) {
		return h.head[i]
	}
	return 0
}

// fields are where in a header of each class the fields about sections are.
// In front of e_shentsize are e_phentsize and e_phnum, of 2 bytes each; behind
// it e_shnum and e_shstrndx end the header.
var fields = map[elf.Class]struct{ shoff, flags, shentsize, end int }{
	elf.ELFCLASS32: {32, 36, 46, 52},
	elf.ELFCLASS64: {40, 48, 58, 64},
}
