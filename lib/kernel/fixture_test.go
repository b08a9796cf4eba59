// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	testRelease = "6.1.0-test"
	testBanner  = "Linux version " + testRelease + " (me@here) (gcc) #1 SMP Debian 6.1\n\x00"
)

// elfOf returns an ELF file for a machine, with notes in a segment, and text.
func elfOf(machine elf.Machine, notes []byte, text string) []byte {
	const header, segment = 64, 56
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: header, Ehsize: header, Phentsize: segment, Phnum: 1,
	})
	binary.Write(&b, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_NOTE), Off: header + segment, Filesz: uint64(len(notes)), Memsz: uint64(len(notes)),
	})
	b.Write(notes)
	b.WriteString(strings.Repeat("%s version %s (nothing) ", 30))
	b.WriteString(text)
	return b.Bytes()
}

// note returns an ELF note.
func note(name string, kind uint32, description []byte) []byte {
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	var b []byte
	for _, n := range []int{len(name) + 1, len(description), int(kind)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return slices.Concat(b, pad([]byte(name+"\x00")), pad(description))
}

// vmlinux returns a kernel with a PVH entry.
func vmlinux() []byte {
	return elfOf(elf.EM_X86_64, slices.Concat(note("Linux", 1, []byte{1, 2, 3, 4, 5}), note("Xen", 18, make([]byte, 8))),
		testBanner+strings.Repeat("machine code ", 1000))
}

// bzImage returns a kernel for a boot loader, with a payload and its appended
// size.
func bzImage(payload []byte, size int) []byte {
	head := make([]byte, 1024+512)
	head[0x1f1] = 2 // sectors of set-up code
	copy(head[0x202:], "HdrS")
	le.PutUint16(head[0x206:], 0x20f)
	le.PutUint16(head[0x20e:], 0x200) // the version's text is at 0x400
	copy(head[0x400:], testRelease+" (me@here) #1 SMP\x00")
	le.PutUint16(head[0x236:], 1)
	le.PutUint32(head[0x248:], 100)
	if size >= 0 {
		payload = le.AppendUint32(slices.Clone(payload), uint32(size))
	}
	le.PutUint32(head[0x24c:], uint32(len(payload)))
	return slices.Concat(head, make([]byte, 100), payload, []byte("what follows"))
}

func arm64Image() []byte {
	head := make([]byte, 64)
	copy(head[0x38:], "ARM\x64")
	return append(head, testBanner+strings.Repeat("machine code ", 1000)...)
}

// zboot returns an EFI program that unpacks an Image.
func zboot(payload []byte, size int) []byte {
	head := make([]byte, 1024)
	copy(head, "MZ\x00\x00zimg")
	le.PutUint32(head[8:], 1024)
	le.PutUint32(head[12:], uint32(len(payload)))
	return slices.Concat(head, payload, make([]byte, 100))
}

// compress compresses with a program; it skips the test if the program is missing.
func compress(t testing.TB, content []byte, program ...string) []byte {
	t.Helper()
	cmd := exec.Command(program[0], append(program[1:], "-c")...)
	cmd.Stdin = bytes.NewReader(content)
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v", program, err)
	default:
		t.Skipf("%v: %v", program, err)
	}
	return nil
}

func openBytes(b []byte) (*File, error) {
	return Open(context.Background(), bytes.NewReader(b), int64(len(b)))
}

// unpacked returns the uncompressed kernel in a file.
func unpacked(f *File) ([]byte, error) {
	var b bytes.Buffer
	err := f.WriteVmlinux(context.Background(), &b)
	return b.Bytes(), err
}
