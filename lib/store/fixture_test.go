// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
	"testing/fstest"
)

// module returns a minimal kernel module: an ELF file with a .modinfo section.
func module(t *testing.T, release, depends string) *fstest.MapFile {
	t.Helper()
	const header = 64
	modinfo := "depends=" + depends + "\x00vermagic=" + release + " SMP\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(modinfo)), Addralign: 1},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(header + len(modinfo)), Size: uint64(len(names)), Addralign: 1},
	}
	var b bytes.Buffer
	for _, v := range []any{
		elf.Header64{
			Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: header,
			Shoff: uint64(header + len(modinfo) + len(names)), Shentsize: 64, Shnum: 3, Shstrndx: 2,
		},
		[]byte(modinfo + names), sections,
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// bzImage returns a kernel for a boot loader: the setup sectors and the compressed
// kernel, followed by its size.
func bzImage(t *testing.T, vmlinux []byte, release string) *fstest.MapFile {
	t.Helper()
	var payload bytes.Buffer
	z := gzip.NewWriter(&payload)
	if _, err := z.Write(vmlinux); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	b := make([]byte, 1024)
	b[0x1f1] = 1 // sectors of set-up code, beside the first
	copy(b[0x202:], "HdrS")
	le.PutUint16(b[0x206:], 0x20f)
	le.PutUint16(b[0x20e:], 0x100) // where the version is, less 0x200
	le.PutUint16(b[0x236:], 1)
	copy(b[0x300:], release+" (x) #1\x00")
	b = append(b, payload.Bytes()...)
	le.PutUint32(b[0x24c:], uint32(len(b)-1024))
	return &fstest.MapFile{Data: b}
}

// modular returns a kernel that needs three of its modules to mount its root.
func modular(t *testing.T, release string) fstest.MapFS {
	dir := "lib/modules/" + release + "/"
	return fstest.MapFS{
		"boot/vmlinuz-" + release: bzImage(t, vmlinux(release).Data, release),
		"boot/config-" + release:  {Data: []byte(strings.ReplaceAll(built, "=y", "=m"))},

		dir + "modules.builtin":               {Data: []byte("kernel/virtio/virtio_mmio.ko\n")},
		dir + "kernel/fs/ext4/ext4.ko":        module(t, release, "jbd2"),
		dir + "kernel/fs/jbd2/jbd2.ko":        module(t, release, ""),
		dir + "kernel/block/virtio_blk.ko":    module(t, release, ""),
		dir + "kernel/drivers/net/unasked.ko": module(t, release, ""),
	}
}

// whileChanging calls look repeatedly during fifty calls of change.
func whileChanging(t *testing.T, change func(i int) error, look func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < 50 && err == nil; i++ {
			err = change(i)
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
		if err := look(); err != nil {
			t.Error(err, <-done)
			return
		}
	}
}
