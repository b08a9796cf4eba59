// SPDX-License-Identifier: Apache-2.0

// Package program reads the header and the segments of an ELF program (elf(5)),
// which is all that the kernel reads of it.
package program

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// maxSegments bounds the program headers, in bytes, as the kernel does
// (fs/binfmt_elf.c, load_elf_phdrs).
const maxSegments = 64 << 10

// Open reads the header and the program headers of a program, but no sections: a
// file may claim more sections than fit in memory, and running it needs none.
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

// A header is a program with another header.
type header struct {
	head []byte
	io.ReaderAt
}

// ReadAt reads the program with the changed header.
func (h header) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(p, off)
	if off >= 0 && off < int64(len(h.head)) {
		copy(p[:n], h.head[off:])
	}
	return n, err
}

// hideSections clears the section fields of the header, and refuses more program
// headers than the kernel would. debug/elf reports all other errors.
func (h header) hideSections() error {
	f, ok := fields[elf.Class(h.at(elf.EI_CLASS))]
	if !ok || len(h.head) < f.end {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.at(elf.EI_DATA) == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	size := int(order.Uint16(h.head[f.shentsize-4:])) * int(order.Uint16(h.head[f.shentsize-2:]))
	if size > maxSegments {
		return fmt.Errorf("program headers of %d bytes: too large (limit %d)", size, maxSegments)
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

// fields are the offsets of the section fields in a header of each class. Before
// e_shentsize are e_phentsize and e_phnum, of 2 bytes each; after it are e_shnum
// and e_shstrndx, which end the header.
var fields = map[elf.Class]struct{ shoff, flags, shentsize, end int }{
	elf.ELFCLASS32: {32, 36, 46, 52},
	elf.ELFCLASS64: {40, 48, 58, 64},
}
