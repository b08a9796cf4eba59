// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"banger/lib/decompress"
	"banger/lib/program"
	"banger/lib/status"
)

// maxVmlinux bounds an unpacked kernel, in bytes.
const maxVmlinux = 1 << 30

// A payload is the extent of the compressed kernel in a file. Except after gzip,
// which includes it, the build appends the uncompressed size in 4 bytes
// (scripts/Makefile.lib, size_append).
type payload struct{ at, size int64 }

const sizeField = 4

// unsupported are compressions of kernels without a decoder.
var unsupported = []struct{ magic, name string }{
	{"\x5d\x00\x00", "lzma"}, {"\x89LZO", "lzo"},
}

// open returns the uncompressed kernel. Reading fails once the context is done.
func (f *File) open(ctx context.Context) (io.ReadCloser, error) {
	if f.payload == nil {
		return interruptible{ctx, io.NopCloser(io.NewSectionReader(f.raw, 0, f.raw.Size()))}, nil
	}
	magic := make([]byte, sizeField)
	if _, err := f.raw.ReadAt(magic, f.payload.at); err != nil {
		return nil, err
	}
	for _, u := range unsupported {
		if bytes.HasPrefix(magic, []byte(u.magic)) {
			return nil, status.Errorf(status.Bad, "kernel compressed with %s: unsupported (gzip, xz, zstd, lz4 and bzip2 are supported)", u.name)
		}
	}
	size := f.payload.size
	if !isGzip(magic) {
		size -= sizeField
	}
	r, err := decompress.All.Reader(io.NewSectionReader(f.raw, f.payload.at, size))
	if err != nil {
		return nil, status.With(status.Bad, err)
	}
	return interruptible{ctx, r}, nil
}

func isGzip(magic []byte) bool { return bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) }

// WriteVmlinux writes the uncompressed kernel for a VMM: an ELF executable for
// amd64, an Image for arm64.
func (f *File) WriteVmlinux(ctx context.Context, w io.Writer) error {
	r, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(&headed{r: r, arch: f.Arch}, maxVmlinux+1))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && n > maxVmlinux {
		err = fmt.Errorf("too large (limit %d bytes)", maxVmlinux)
	}
	if err == nil {
		err = f.checkSize(n)
	}
	if err != nil {
		return status.With(status.Bad, fmt.Errorf("unpack the kernel: %w", err))
	}
	return nil
}

// checkSize compares n with the size that the build appended: truncation of the
// legacy lz4 format cannot be detected otherwise.
func (f *File) checkSize(n int64) error {
	if f.payload == nil || f.Format == Image {
		return nil
	}
	var field [sizeField]byte
	if _, err := f.raw.ReadAt(field[:], f.payload.at+f.payload.size-sizeField); err != nil {
		return err
	}
	if want := le.Uint32(field[:]); want != uint32(n) {
		return fmt.Errorf("%d bytes, not %d", n, want)
	}
	return nil
}

// A headed reader fails unless it begins with the header of a kernel.
type headed struct {
	r    io.Reader
	arch string
	seen bool
}

func (h *headed) Read(p []byte) (int, error) {
	if h.seen {
		return h.r.Read(p)
	}
	h.seen = true
	var head [64]byte
	n, err := io.ReadFull(h.r, head[:])
	if err != nil && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	if !h.kernel(head[:]) {
		return 0, errors.New("payload is not a kernel")
	}
	h.r = io.MultiReader(bytes.NewReader(head[:n]), h.r)
	return h.r.Read(p)
}

func (h *headed) kernel(head []byte) bool {
	if h.arch == "arm64" {
		return isArm64Image(head)
	}
	return string(head[:4]) == elf.ELFMAG && elf.Machine(le.Uint16(head[18:])) == elf.EM_X86_64
}

// HasPVH reports whether an ELF kernel has the note with a PVH entry point, which
// QEMU needs (include/xen/interface/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
func (f *File) HasPVH() (bool, error) {
	if f.Format != ELF {
		return false, nil
	}
	e, err := program.Open(f.raw)
	if err != nil {
		return false, status.Errorf(status.Bad, "%w", err)
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz == 0 || p.Filesz > maxNotes {
			continue
		}
		notes := make([]byte, p.Filesz)
		if _, err := p.ReadAt(notes, 0); err != nil {
			return false, status.Errorf(status.Bad, "notes: %w", err)
		}
		if hasNote(notes, "Xen\x00", 18) {
			return true, nil
		}
	}
	return false, nil
}

const maxNotes = 1 << 20 // bytes

// hasNote searches the notes of a segment. A note has the sizes of its name and
// description and a type, then both, each padded to 4 bytes (elf(5)).
func hasNote(notes []byte, name string, kind uint32) bool {
	for len(notes) >= 12 {
		nameSize, descSize := uint64(le.Uint32(notes)), uint64(le.Uint32(notes[4:]))
		sameKind := le.Uint32(notes[8:]) == kind
		notes = notes[12:]
		end := pad4(nameSize) + pad4(descSize)
		if end > uint64(len(notes)) {
			return false
		}
		if sameKind && string(notes[:nameSize]) == name {
			return true
		}
		notes = notes[end:]
	}
	return false
}

func pad4(n uint64) uint64 { return (n + 3) &^ 3 }
