// SPDX-License-Identifier: Apache-2.0

// Package kernel reads Linux kernels: the kernel file, its configuration and its
// modules, and finds them in a tree of files.
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

// A Format is the format of a kernel file.
type Format string

// The formats. An arm64 Image may be compressed, or inside an EFI program that
// unpacks it; its format is Image too.
const (
	BzImage Format = "bzImage"
	ELF     Format = "vmlinux"
	Image   Format = "Image"
)

// A File is a kernel file.
type File struct {
	Format Format
	Arch   string // as in OCI: amd64, arm64

	raw     *io.SectionReader
	payload *payload // the compressed kernel inside, nil if raw is the kernel
}

// ErrNotKernel means that a file is not a kernel for a supported architecture.
var ErrNotKernel = errors.New("not a Linux kernel for amd64 or arm64")

var le = binary.LittleEndian

// Open opens a kernel: an x86 bzImage (Documentation/arch/x86/boot.rst), an ELF
// vmlinux, or an arm64 Image (Documentation/arch/arm64/booting.rst), plain, in gzip
// or in an EFI zboot image (drivers/firmware/efi/libstub/zboot-header.S). r must
// stay open while the File is used.
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

// openELF checks the machine of an ELF file, and that it has a kernel's banner.
func (f *File) openELF(ctx context.Context, head []byte) error {
	machine := elf.Machine(le.Uint16(head[18:]))
	if head[elf.EI_CLASS] != byte(elf.ELFCLASS64) || machine != elf.EM_X86_64 {
		return fmt.Errorf("%w, but ELF of %v", ErrNotKernel, machine)
	}
	f.Format, f.Arch = ELF, "amd64"
	_, err := f.Banner(ctx)
	return err
}

// openBzImage finds the compressed kernel, which the header locates since protocol
// 2.08.
func (f *File) openBzImage(head []byte) error {
	if version := le.Uint16(head[0x206:]); version < 0x208 {
		return status.Errorf(status.Bad, "bzImage of protocol %d.%02d: too old (2.08, of Linux 2.6.26, or later is supported)",
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

// checkImage checks that the compressed data is an arm64 Image.
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
		return status.Errorf(status.Bad, "truncated kernel: has %d bytes, and %d compressed bytes from byte %d",
			f.raw.Size(), size, at)
	}
	f.payload = &payload{at: at, size: size}
	return nil
}
