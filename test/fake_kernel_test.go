// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kernel creates a directory with a fake kernel that passes for bootable: as
// large as a small one, with nothing in it that runs.
func kernel(t testing.TB, dir string) string {
	t.Helper()
	const release = "6.1.0"
	if err := os.MkdirAll(filepath.Join(dir, "modules", release, "kernel"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"vmlinux": fakeVmlinux(t, release, 1_000_000), "initrd.img": fakeInitrd(300_000),
		"modules/" + release + "/kernel/firmware.bin": smallNoise(1, 30_000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fakeVmlinux is an amd64 ELF file with a version banner, the note by which
// QEMU enters a kernel, and a configuration with all that a guest needs.
func fakeVmlinux(t testing.TB, release string, size int) []byte {
	t.Helper()
	var config bytes.Buffer
	z := gzip.NewWriter(&config)
	for _, option := range []string{"EXT4_FS", "VIRTIO_BLK", "VIRTIO_MMIO", "VIRTIO_PCI", "BLK_DEV_INITRD", "DEVTMPFS", "SERIAL_8250_CONSOLE", "VIRTIO_VSOCKETS"} {
		fmt.Fprintf(z, "CONFIG_%s=y\n", option)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	note := []byte("\x04\x00\x00\x00\x04\x00\x00\x00\x12\x00\x00\x00Xen\x00\x00\x00\x00\x01")
	segment := slices.Concat([]byte("\x04\x00\x00\x00\x04\x00\x00\x00\x78\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 16),
		[]byte{byte(len(note)), 0, 0, 0, 0, 0, 0, 0}, make([]byte, 16)) // PT_NOTE at byte 120
	return slices.Concat(elfHeader(1), segment, note, []byte("Linux version "+release+" (test) #1 SMP\n\x00IKCFG_ST"), config.Bytes(),
		[]byte("IKCFG_ED"), smallNoise(uint64(size), size))
}

// elfHeader is the header of an amd64 executable with the number of program
// headers, which follow it.
func elfHeader(segments byte) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	copy(h[16:], "\x02\x00\x3e\x00\x01")
	h[32], h[52], h[54], h[56] = 64, 64, 56, segments
	return h
}

// fakeInitrd is an archive of the files that banger's initrds for kernels have, the
// last of that size.
func fakeInitrd(size int) []byte {
	return cpioArchive(map[string]string{"init": strings.Repeat("\x00", size)}, "dev", "modules", "proc", "root", "sys", "init")
}

// cpioArchive is an archive (cpio(5), newc). A name without content is a directory.
func cpioArchive(contents map[string]string, names ...string) []byte {
	var b strings.Builder
	pad := func() { b.WriteString(strings.Repeat("\x00", -b.Len()&3)) }
	for i, name := range append(names, "TRAILER!!!") {
		content, ok := contents[name]
		mode := 0o40755
		if ok {
			mode = 0o100755
		}
		b.WriteString("070701")
		for _, field := range []int{i + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0} {
			fmt.Fprintf(&b, "%08x", field)
		}
		b.WriteString(name + "\x00")
		pad()
		b.WriteString(content)
		pad()
	}
	return []byte(b.String())
}
