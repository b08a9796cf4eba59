// SPDX-License-Identifier: Apache-2.0

package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ident returns the identification of an ELF file.
func ident(class elf.Class, data elf.Data) (b [16]byte) {
	copy(b[:], elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(class), byte(data), byte(elf.EV_CURRENT)
	return b
}

// sparse makes a file of parts, followed by a hole up to a size.
func sparse(t *testing.T, size int64, order binary.ByteOrder, parts ...any) *os.File {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		if err := binary.Write(&b, order, p); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(max(size, int64(b.Len()))); err != nil {
		t.Fatal(err)
	}
	return f
}

// Sections are not read, whatever their count; segments are.
func TestOpen(t *testing.T) {
	const sections = 1 << 24 // of 1 GiB
	interp := []byte("/ld.so\x00")
	wide := elf.Header64{
		Ident: ident(elf.ELFCLASS64, elf.ELFDATA2LSB), Type: 2, Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shoff: 256, Shentsize: 64,
	}
	narrow := elf.Header32{
		Ident: ident(elf.ELFCLASS32, elf.ELFDATA2MSB), Type: 2, Machine: uint16(elf.EM_PPC), Version: 1,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1, Shoff: 256, Shentsize: 40,
	}
	pad := func(n int) []byte { return make([]byte, n) }
	for name, f := range map[string]*os.File{
		"64 bits": sparse(t, 2<<30, binary.LittleEndian, wide, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: 7}, interp, pad(256-127), elf.Section64{Size: sections}),
		"32 bits": sparse(t, 2<<30, binary.BigEndian, narrow, elf.Prog32{Type: uint32(elf.PT_INTERP), Off: 84, Filesz: 7}, interp, pad(256-91), elf.Section32{Size: sections}),
	} {
		e, err := Open(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := make([]byte, 7)
		if _, err := e.Progs[0].ReadAt(got, 0); err != nil || !bytes.Equal(got, interp) || len(e.Sections) != 0 {
			t.Errorf("%s: %q, %d sections, %v", name, got, len(e.Sections), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	h := elf.Header64{Ident: ident(elf.ELFCLASS64, elf.ELFDATA2LSB), Version: 1, Phoff: 64, Phentsize: 0xffff, Phnum: 0xffff}
	for name, c := range map[string]struct {
		f     *os.File
		words string
	}{
		"4 GiB of segments": {sparse(t, 8<<30, binary.LittleEndian, h), "program headers"},
		"nothing":           {sparse(t, 0, binary.LittleEndian), "EOF"},
		"text":              {sparse(t, 0, binary.LittleEndian, []byte("#!/bin/sh and so on")), "magic"},
		"half a header":     {sparse(t, 0, binary.LittleEndian, h.Ident), "EOF"},
	} {
		if _, err := Open(c.f); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
