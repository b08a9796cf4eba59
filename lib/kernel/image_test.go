// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banger/lib/status"
)

// The compressions of kernels, with the arguments of the kernel's build.
var compressions = map[string][]string{
	"gzip": {"gzip", "-n", "-9"}, "xz": {"xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"},
	"zstd": {"zstd", "-22", "--ultra"}, "lz4": {"lz4", "-l", "-9"}, "bzip2": {"bzip2", "-9"},
}

// A kernel of each compression is unpacked to the original bytes.
func TestBzImage(t *testing.T) {
	for name, program := range compressions {
		t.Run(name, func(t *testing.T) {
			size := len(vmlinux())
			if name == "gzip" {
				size = -1 // has it itself
			}
			f, err := openBytes(bzImage(compress(t, vmlinux(), program...), size))
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != BzImage || f.Arch != "amd64" {
				t.Errorf("%s for %s", f.Format, f.Arch)
			}
			if release, err := f.Release(t.Context()); release != testRelease || err != nil {
				t.Errorf("release %q, %v", release, err)
			}
			if got, err := unpacked(f); err != nil || !bytes.Equal(got, vmlinux()) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestImages(t *testing.T) {
	for _, c := range []struct {
		name         string
		file, kernel []byte
		format       Format
		arch         string
	}{
		{"ELF", vmlinux(), vmlinux(), ELF, "amd64"},
		{"arm64", arm64Image(), arm64Image(), Image, "arm64"},
		{"arm64, compressed", compress(t, arm64Image(), "gzip"), arm64Image(), Image, "arm64"},
		{"arm64, as an EFI program", zboot(compress(t, arm64Image(), "gzip"), 0), arm64Image(), Image, "arm64"},
		{"the same, by zstd", zboot(append(compress(t, arm64Image(), "zstd"), 1, 2, 3, 4), 0), arm64Image(), Image, "arm64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(c.file)
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != c.format || f.Arch != c.arch {
				t.Errorf("%s for %s", f.Format, f.Arch)
			}
			if release, err := f.Release(t.Context()); release != testRelease || err != nil {
				t.Errorf("release %q, %v", release, err)
			}
			if got, err := unpacked(f); err != nil || !bytes.Equal(got, c.kernel) {
				t.Errorf("%d bytes of %d, %v", len(got), len(c.kernel), err)
			}
		})
	}
}

// A file that is not a kernel is distinguished from a damaged kernel.
func TestNotKernel(t *testing.T) {
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("#!/bin/sh\n"), "zeros": make([]byte, 4096),
		"a module":     elfOf(elf.EM_X86_64, nil, "no banner"),
		"ELF of ARM":   elfOf(elf.EM_ARM, nil, testBanner),
		"a gzip":       compress(t, []byte("text"), "gzip"),
		"an old Linux": func() []byte { b := bzImage(nil, 9); le.PutUint16(b[0x236:], 0); return b }(),
	} {
		if f, err := openBytes(file); !errors.Is(err, ErrNotKernel) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestDamagedKernel(t *testing.T) {
	gz := compress(t, vmlinux(), "gzip")
	lz4 := compress(t, vmlinux(), "lz4", "-l")
	old := bzImage(gz, -1)
	le.PutUint16(old[0x206:], 0x207)
	for _, c := range []struct {
		name  string
		file  []byte
		words string
	}{
		{"lzma", bzImage([]byte("\x5d\x00\x00\x00\x04 and so on"), 9), "lzma"},
		{"lzo", bzImage([]byte("\x89LZO\x00 and so on"), 9), "lzo"},
		{"something else", bzImage(bytes.Repeat([]byte("neither"), 100), 700), "not a kernel"},
		{"no kernel inside", bzImage(compress(t, []byte(strings.Repeat("text", 100)), "gzip"), -1), "not a kernel"},
		{"arm64 inside", bzImage(compress(t, elfOf(elf.EM_AARCH64, nil, testBanner), "gzip"), -1), "not a kernel"},
		{"another size", bzImage(lz4, len(vmlinux())+1), "bytes, not"},
		{"a damaged byte", bzImage(slices.Concat(gz[:50], []byte{gz[50] ^ 1}, gz[51:]), -1), ""},
		{"cut in the payload", bzImage(gz, -1)[:1700], "truncated kernel"},
		{"an old protocol", old, "protocol 2.07"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(c.file)
			if err == nil {
				_, err = unpacked(f)
			}
			if status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A release becomes the name of a directory.
func TestRelease(t *testing.T) {
	for _, release := range []string{"../../etc", "6.1/x", "six", "6." + strings.Repeat("1", 70), ""} {
		f, err := openBytes(elfOf(elf.EM_X86_64, nil, "Linux version "+release+" (me@here) #1\x00"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Release(t.Context()); status.Of(err) != status.Bad {
			t.Errorf("%q: %q, %v", release, got, err)
		}
	}
}

// A banner may be anywhere, also across windows.
func TestBannerAnywhere(t *testing.T) {
	for _, at := range []int{0, 1<<20 - 5, 1<<20 - 14, 1 << 20, 2<<20 - 300} {
		f, err := openBytes(elfOf(elf.EM_X86_64, nil, strings.Repeat("x", at)+testBanner))
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		if got, err := f.Banner(t.Context()); err != nil || got != strings.TrimRight(testBanner, "\n\x00") {
			t.Errorf("at %d: %q, %v", at, got, err)
		}
	}
}

// Text that only begins like a banner is skipped in linear time: 40 MB of it once
// took minutes. A file of nothing else is not a kernel.
func TestBannerRejected(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	none := bytes.Repeat([]byte(bannerStart), 40_000_000/len(bannerStart))
	file := slices.Concat(elfOf(elf.EM_X86_64, nil, ""), none, make([]byte, maxText), []byte(testBanner))
	f, err := Open(ctx, bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Banner(ctx); err != nil || got != strings.TrimRight(testBanner, "\n\x00") {
		t.Errorf("%.80q, %v", got, err)
	}
	if _, err := openBytes(elfOf(elf.EM_X86_64, nil, bannerStart+"%s (%s)\x00")); !errors.Is(err, ErrNotKernel) {
		t.Errorf("a format: %v", err)
	}
}

// Reading a kernel stops when the context is done.
func TestInterrupted(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := openBytes(vmlinux())
	if err != nil {
		t.Fatal(err)
	}
	_, open := Open(done, bytes.NewReader(vmlinux()), int64(len(vmlinux())))
	_, find := Find(done, fstest.MapFS{"vmlinux": file(vmlinux())})
	_, banner := f.Banner(done)
	_, config := f.Config(done)
	for what, err := range map[string]error{"open": open, "find": find, "banner": banner, "config": config, "write": f.WriteVmlinux(done, io.Discard)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestHasPVH(t *testing.T) {
	for name, c := range map[string]struct {
		notes []byte
		has   bool
	}{
		"alone":              {note("Xen", 18, make([]byte, 4)), true},
		"behind others":      {slices.Concat(note("Linux", 18, []byte("abcde")), note("Xen", 17, nil), note("Xen", 18, make([]byte, 8))), true},
		"no notes":           {nil, false},
		"another's":          {note("Linux", 18, nil), false},
		"another kind":       {note("Xen", 1, nil), false},
		"a size beyond":      {append([]byte{4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 18, 0, 0, 0}, "Xen\x00"...), false},
		"cut in the header":  {note("Xen", 18, nil)[:10], false},
		"cut in the name":    {note("Xen", 18, nil)[:14], false},
		"names of all sizes": {[]byte{0xfe, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 18, 0, 0, 0}, false},
	} {
		f, err := openBytes(elfOf(elf.EM_X86_64, c.notes, testBanner))
		if err != nil {
			t.Fatal(err)
		}
		if has, err := f.HasPVH(); has != c.has || err != nil {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
}

func TestConfig(t *testing.T) {
	const text = "#\n# Linux/x86\n#\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=m\n# CONFIG_VSOCKETS is not set\nCONFIG_NAME=\"a b=c\"\n"
	inside := "before IKCFG_ST" + string(compress(t, []byte(text), "gzip")) + "IKCFG_ED behind"
	f, err := openBytes(elfOf(elf.EM_X86_64, nil, testBanner+inside))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Config(t.Context()); string(got) != text || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	c, err := ParseConfig(strings.NewReader(text))
	if err != nil || len(c) != 3 || c["EXT4_FS"] != "y" || c["VIRTIO_BLK"] != "m" || c["NAME"] != `"a b=c"` {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := ParseConfig(strings.NewReader("# nothing\n")); status.Of(err) != status.Bad {
		t.Errorf("an empty configuration: %v", err)
	}
	if f, err := openBytes(vmlinux()); err != nil {
		t.Error(err)
	} else if got, err := f.Config(t.Context()); got != nil || err != nil {
		t.Errorf("none inside: %q, %v", got, err)
	}
}

// FuzzOpen opens arbitrary files.
func FuzzOpen(f *testing.F) {
	f.Add(vmlinux())
	f.Add(arm64Image())
	f.Add(bzImage(compress(f, vmlinux(), "lz4", "-l"), len(vmlinux())))
	f.Add(bzImage(compress(f, vmlinux(), "xz"), len(vmlinux())))
	f.Add(zboot(compress(f, arm64Image(), "gzip"), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := openBytes(b)
		if err != nil {
			return
		}
		k.Release(t.Context())
		k.HasPVH()
		k.Config(t.Context())
		unpacked(k)
	})
}
