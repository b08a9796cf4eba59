// SPDX-License-Identifier: Apache-2.0

// Package kernel knows a Linux kernel: its file, its configuration, its
// modules, and where among other files they are.
package kernel

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"banger/lib/status"
)

// A Format is a form that a kernel's file has.
type Format string

// The formats. Image is arm64's; there may be one compressed, or inside an EFI
// program that unpacks it: they are called by what is in them.
const (
	BzImage Format = "bzImage"
	ELF     Format = "vmlinux"
	Image   Format = "Image"
)

// A File is a kernel's file.
type File struct {
	Format Format
	Arch   string // in OCI's words: amd64, arm64

	raw     *io.SectionReader
	payload *payload // the compressed kernel inside, nil if raw is the kernel
}

// ErrNotKernel says that a file is no kernel of an architecture we know.
var ErrNotKernel = errors.New("not a Linux kernel for amd64 or arm64")

var le = binary.LittleEndian

// Open tells what kernel's file it is: a bzImage of x86
// (Documentation/arch/x86/boot.rst), an ELF vmlinux, or an Image of arm64
// (Documentation/arch/arm64/booting.rst), which may be compressed by gzip or as
// EFI's zboot has it (drivers/firmware/efi/libstub/zboot-header.S). r must stay
// open as long as the File is used.
func Open(ctx context.Context, r io.ReaderAt, size int64) (*File, error) {
	f := &File{raw: io.NewSectionReader(r, 0, size)}
	var head [1024]byte
	if n, err := f.raw.ReadAt(head[:], 0); err != nil && (err != io.EOF || n < 64) {
		if err == io.EOF {
			err = ErrNotKernel
		}
		return nil, err
	}
	switch {
	case string(head[0x202:0x206]) == "HdrS":
		return f, f.openBzImage(head[:])
	case string(head[:4]) == elf.ELFMAG:
		return f, f.openELF(ctx, head[:])
	case isArm64Image(head[:]):
		f.Format, f.Arch = Image, "arm64"
		return f, nil
	case string(head[:2]) == "MZ" && string(head[4:8]) == "zimg":
		return f, f.openZboot(ctx, head[:])
	case head[0] == 0x1f && head[1] == 0x8b:
		f.payload = &payload{at: 0, size: size}
		return f, f.openGzip(ctx)
	}
	return nil, ErrNotKernel
}

func isArm64Image(head []byte) bool { return string(head[0x38:0x3c]) == "ARM\x64" }

// openELF looks for which machine an ELF file is. That it is a kernel, its
// banner tells.
func (f *File) openELF(ctx context.Context, head []byte) error {
	machine := elf.Machine(le.Uint16(head[18:]))
	if head[elf.EI_CLASS] != byte(elf.ELFCLASS64) || machine != elf.EM_X86_64 {
		return fmt.Errorf("%w, but ELF of %v", ErrNotKernel, machine)
	}
	f.Format, f.Arch = ELF, "amd64"
	_, err := f.Banner(ctx)
	return err
}

// openBzImage finds the compressed kernel, where protocol 2.08 and later says.
func (f *File) openBzImage(head []byte) error {
	if version := le.Uint16(head[0x206:]); version < 0x208 {
		return status.Errorf(status.Bad, "a bzImage of protocol %d.%02d: 2.08 (Linux 2.6.26) is the oldest that can be unpacked",
			version>>8, version&0xff)
	}
	const xloadflags, kernel64 = 0x236, 1
	if le.Uint16(head[xloadflags:])&kernel64 == 0 {
		return fmt.Errorf("%w, but a bzImage of 32 bits", ErrNotKernel)
	}
	f.Format, f.Arch = BzImage, "amd64"
	setup := int64(head[0x1f1])
	if setup == 0 {
		setup = 4
	}
	at := (setup+1)*512 + int64(le.Uint32(head[0x248:]))
	return f.setPayload(at, int64(le.Uint32(head[0x24c:])))
}

// openZboot finds the compressed Image in an EFI program.
func (f *File) openZboot(ctx context.Context, head []byte) error {
	f.Format, f.Arch = Image, "arm64"
	if err := f.setPayload(int64(le.Uint32(head[8:])), int64(le.Uint32(head[12:]))); err != nil {
		return err
	}
	return f.checkImage(ctx)
}

func (f *File) openGzip(ctx context.Context) error {
	f.Format, f.Arch = Image, "arm64"
	return f.checkImage(ctx)
}

// checkImage looks whether what is compressed is arm64's.
func (f *File) checkImage(ctx context.Context) error {
	r, err := f.open(ctx)
	if err != nil {
		return ErrNotKernel
	}
	defer r.Close()
	head := make([]byte, 64)
	if _, err := io.ReadFull(r, head); err != nil || !isArm64Image(head) {
		return ErrNotKernel
	}
	return nil
}

func (f *File) setPayload(at, size int64) error {
	if size <= sizeField || at+size > f.raw.Size() {
		return status.Errorf(status.Bad, "a kernel of %d bytes that is cut: %d bytes from byte %d on are compressed",
			f.raw.Size(), size, at)
	}
	f.payload = &payload{at: at, size: size}
	return nil
}
