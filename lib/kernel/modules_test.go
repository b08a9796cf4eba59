// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"banger/lib/status"
)

// module returns a module with a .modinfo section.
func module(fields ...string) []byte { return moduleOf(strings.Join(fields, "\x00")+"\x00", 0) }

func moduleOf(info string, flags elf.SectionFlag) []byte {
	names := "\x00.modinfo\x00.shstrtab\x00"
	const header, section = 64, 64
	infoAt, namesAt := uint64(header), uint64(header+len(info))
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: namesAt + uint64(len(names)),
		Ehsize: header, Shentsize: section, Shnum: 3, Shstrndx: 2,
	})
	b.WriteString(info + names)
	for _, s := range []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(flags), Off: infoAt, Size: uint64(len(info))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names))},
	} {
		binary.Write(&b, binary.LittleEndian, s)
	}
	return b.Bytes()
}

func file(data []byte) *fstest.MapFile { return &fstest.MapFile{Data: data} }

// modules returns modules of a kernel: some in files, some built in.
func modules(t *testing.T) fstest.MapFS {
	magic := "vermagic=" + testRelease + " SMP mod_unload"
	return fstest.MapFS{
		"kernel/fs/ext4/ext4.ko":              file(module("depends=mbcache,jbd2", "softdep=pre: crc32c", magic)),
		"kernel/fs/jbd2/jbd2.ko.xz":           file(compress(t, module("depends=", magic), "xz")),
		"kernel/fs/mbcache.ko.gz":             file(compress(t, module("depends=", magic), "gzip")),
		"kernel/arch/x86/crc32c-intel.ko.zst": file(compress(t, module("alias=crc32c", "alias=crypto-crc32c", magic), "zstd")),
		"kernel/crypto/crc32c_generic.ko":     file(module("alias=crc32c", "depends=", magic)),
		"kernel/drivers/virtio/virtio_blk.ko": file(module("depends=virtio", "softdep=post: other", magic)),
		"kernel/lib/a.ko":                     file(module("depends=b", magic)),
		"kernel/lib/b.ko":                     file(module("depends=a", "softdep=pre: nowhere virtio lzo post: x", magic)),
		"kernel/lib/bad.ko":                   file(module("depends=missing", magic)),
		"kernel/lib/none.ko":                  file([]byte("no module")),
		"modules.builtin":                     file([]byte("kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio-mmio.ko\n")),
		"modules.builtin.modinfo":             file([]byte("lzo.alias=lzo\x00lzo.alias=crypto-lzo\x00virtio.license=GPL\x00")),
		"modules.order":                       file(nil),
	}
}

func names(all []Module) string {
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// Each module comes once, after its dependencies, decompressed.
func TestOrder(t *testing.T) {
	tree := modules(t)
	delete(tree, "kernel/lib/none.ko") // which would be read in search of an alias
	m, err := OpenModules(tree)
	if err != nil {
		t.Fatal(err)
	}
	for want, wish := range map[string]string{
		"mbcache jbd2 crc32c_generic crc32c_intel ext4": "ext4",
		"virtio_blk": "virtio_blk",
		"":           "virtio_mmio virtio lzo",
		"b a":        "a",
		"jbd2 mbcache crc32c_generic crc32c_intel ext4": "jbd2 ext4 jbd2",
	} {
		got, err := m.Order(strings.Fields(wish)...)
		if err != nil || names(got) != want {
			t.Errorf("%s: %q, not %q, %v", wish, names(got), want, err)
		}
		for _, one := range got {
			if !bytes.HasPrefix(one.Data, []byte(elf.ELFMAG)) {
				t.Errorf("%s: not decompressed", one.Name)
			}
		}
	}
	for _, wish := range []string{"bad", "missing"} {
		if got, err := m.Order(wish); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "missing") {
			t.Errorf("%s: %q, %v", wish, names(got), err)
		}
	}
}

func TestNoModule(t *testing.T) {
	m, err := OpenModules(modules(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "ext4"} { // ext4 asks who is called crc32c
		if _, err := m.Order(name); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "none") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A .modinfo section is read only within limits.
func TestHostileModule(t *testing.T) {
	var deflated bytes.Buffer
	binary.Write(&deflated, binary.LittleEndian, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: 64 << 20, Addralign: 1})
	z := zlib.NewWriter(&deflated)
	z.Write(make([]byte, 64<<20))
	z.Close()
	good := module("depends=")
	changed := func(at int, to byte) []byte { b := bytes.Clone(good); b[at] = to; return b }
	for name, c := range map[string]struct {
		module []byte
		words  string
	}{
		"compressed":     {moduleOf(deflated.String(), elf.SHF_COMPRESSED), "is compressed"},
		"long":           {module(strings.Repeat("x", maxSection)), "limit 1048576"},
		"cut":            {good[:len(good)-1], "truncated"},
		"a part outside": {changed(len(good)-2*64+36, 1), "truncated"},
		"names outside":  {changed(len(good)-64+36, 1), "truncated"},
		"no names":       {changed(62, 3), "no sections"},
		"headers beyond": {changed(47, 0xff), "truncated"},
		"of 32 bits":     {changed(elf.EI_CLASS, byte(elf.ELFCLASS32)), "not a module"},
		"another's":      {bytes.Replace(good, []byte(".modinfo"), []byte(".MODINFO"), 1), "no .modinfo section"},
		"a header":       {good[:64], "truncated"},
		"less":           {good[:63], "not a module"},
	} {
		if in, err := readInfo(c.module); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

func TestModulesRelease(t *testing.T) {
	tree := modules(t)
	delete(tree, "kernel/lib/none.ko")
	m, err := OpenModules(tree)
	if err != nil {
		t.Fatal(err)
	}
	if release, err := m.Release(); release != testRelease || err != nil {
		t.Errorf("%q, %v", release, err)
	}
	if release, err := (*Modules)(nil).Release(); release != "" || err != nil {
		t.Errorf("of none: %q, %v", release, err)
	}
}

// The state of a feature, by configuration and modules.
func TestFeature(t *testing.T) {
	m, err := OpenModules(modules(t))
	if err != nil {
		t.Fatal(err)
	}
	config := Config{"EXT4_FS": "y", "VIRTIO_BLK": "m", "DEVTMPFS": "y"}
	unlisted, err := OpenModules(fstest.MapFS{"a.ko": file(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		feature Feature
		config  Config
		modules *Modules
		want    State
	}{
		{Ext4, config, nil, BuiltIn}, {VirtioBlk, config, nil, Loadable}, {VirtioMMIO, config, nil, Absent},
		{Ext4, nil, m, Loadable}, {VirtioMMIO, nil, m, BuiltIn}, {VirtioPCI, nil, m, Absent},
		{Ext4, config, m, BuiltIn}, {VirtioMMIO, config, m, BuiltIn},
		{Devtmpfs, config, nil, BuiltIn}, {Console, config, m, Absent}, {Devtmpfs, nil, m, Unknown},
		{Ext4, nil, nil, Unknown}, {Ext4, nil, unlisted, Unknown},
	} {
		if got := c.feature.In(c.config, c.modules); got != c.want {
			t.Errorf("%s: %v, want %v (configuration %v, modules %v)", c.feature.Name, got, c.want, c.config != nil, c.modules != nil)
		}
	}
}

func TestForInitrd(t *testing.T) {
	tree := modules(t)
	delete(tree, "kernel/lib/none.ko")
	m, err := OpenModules(tree)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.ForInitrd()
	if want := "virtio_blk mbcache jbd2 crc32c_generic crc32c_intel ext4"; err != nil || names(got) != want {
		t.Errorf("%q, not %q, %v", names(got), want, err)
	}
	for _, c := range []struct {
		config Config
		needs  bool
	}{
		{Config{"EXT4_FS": "y", "VIRTIO_BLK": "y", "VIRTIO_MMIO": "y"}, false},
		{Config{"EXT4_FS": "y", "VIRTIO_BLK": "m", "VIRTIO_MMIO": "y"}, true},
		{Config{"EXT4_FS": "y", "VIRTIO_BLK": "y", "VIRTIO_MMIO": "y", "VIRTIO_NET": "m"}, false},
		{nil, false},
	} {
		if NeedsInitrd(c.config, nil) != c.needs {
			t.Errorf("%v: needs an initrd: %v", c.config, !c.needs)
		}
	}
}

// A kernel is found in the layouts of packages, images, builds and archives.
func TestFind(t *testing.T) {
	bz := file(bzImage(compress(t, vmlinux(), "gzip"), -1))
	elf := file(vmlinux())
	other := file(bytes.ReplaceAll(vmlinux(), []byte(testRelease), []byte("6.2.0-test")))
	mod := file(module("vermagic=" + testRelease + " SMP"))
	text := file([]byte("text"))
	r := testRelease
	for _, c := range []struct {
		name string
		tree fstest.MapFS
		want Parts
	}{
		{"Debian's package", fstest.MapFS{"boot/vmlinuz-" + r: bz, "boot/config-" + r: text, "boot/System.map-" + r: text, "lib/modules/" + r + "/kernel/a.ko": mod},
			Parts{BzImage: "boot/vmlinuz-" + r, Config: "boot/config-" + r, Modules: "lib/modules/" + r}},
		{"Fedora's", fstest.MapFS{"lib/modules/" + r + "/vmlinuz": bz, "lib/modules/" + r + "/config": text, "lib/modules/" + r + "/kernel/a.ko": mod},
			Parts{BzImage: "lib/modules/" + r + "/vmlinuz", Config: "lib/modules/" + r + "/config", Modules: "lib/modules/" + r}},
		{"Arch's", fstest.MapFS{"usr/lib/modules/" + r + "/vmlinuz": bz, "usr/lib/modules/" + r + "/kernel/a.ko": mod},
			Parts{BzImage: "usr/lib/modules/" + r + "/vmlinuz", Modules: "usr/lib/modules/" + r}},
		{"Alpine's", fstest.MapFS{"boot/vmlinuz-virt": bz, "boot/config-" + r: text, "lib/modules/" + r + "/a.ko": mod},
			Parts{BzImage: "boot/vmlinuz-virt", Config: "boot/config-" + r, Modules: "lib/modules/" + r}},
		{"a build", fstest.MapFS{"vmlinux": elf, ".config": text, "arch/x86/boot/bzImage": bz, "vmlinux.o": text},
			Parts{Vmlinux: "vmlinux", BzImage: "arch/x86/boot/bzImage", Config: ".config"}},
		{"banger's own", fstest.MapFS{"vmlinux": elf, "bzImage": bz, "vmlinux.config": text, "initrd.img": text, "modules/a.ko": mod},
			Parts{Vmlinux: "vmlinux", BzImage: "bzImage", Config: "vmlinux.config", Initrd: "initrd.img", Modules: "modules"}},
		{"modules by their release", fstest.MapFS{"vmlinux": elf, "modules/" + r + "/a.ko": mod},
			Parts{Vmlinux: "vmlinux", Modules: "modules/" + r}},
		{"beside what is none", fstest.MapFS{"vmlinuz": text, "vmlinux-5": elf, "vmlinuxes": other}, Parts{Vmlinux: "vmlinux-5"}},
	} {
		c.want.Release, c.want.Arch = r, "amd64"
		if got, err := Find(t.Context(), c.tree); err != nil || *got != c.want {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	for name, c := range map[string]struct {
		tree  fstest.MapFS
		words string
	}{
		"none":                {fstest.MapFS{"vmlinuz": text}, "no kernel"},
		"two":                 {fstest.MapFS{"boot/vmlinuz-1": bz, "boot/vmlinuz-2": other}, "several kernels in it: boot/vmlinuz-1 (" + r + "), boot/vmlinuz-2 (6.2.0-test)"},
		"two, and more":       {fstest.MapFS{"vmlinuz-1": bz, "vmlinuz-2": other, "vmlinuz-3": file(bz.Data[:1700])}, "several kernels in it: vmlinuz-1"},
		"another's modules":   {fstest.MapFS{"vmlinux": other, "modules/a.ko": mod}, "modules for " + r + ", but the kernel is 6.2.0-test"},
		"one that is damaged": {fstest.MapFS{"vmlinuz": file(bz.Data[:1700])}, "vmlinuz: "},
	} {
		if p, err := Find(t.Context(), c.tree); status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// A FIFO among the modules is ignored and not opened.
func TestModulesFifo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.ko", "modules.builtin", "modules.builtin.modinfo"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := OpenModules(os.DirFS(dir))
	if err != nil || m.Has("a") || m.listed {
		t.Errorf("%+v, %v", m, err)
	}
}
