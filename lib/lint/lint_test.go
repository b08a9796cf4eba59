// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/guest"
	"banger/lib/initrd"
	"banger/lib/kernel"
	"banger/lib/status"
	"banger/lib/store"
	"banger/lib/tree"
)

// elfOf returns an ELF file for a machine with a loader, or "", and a PVH note if
// pvh is set.
func elfOf(machine elf.Machine, loader string, pvh bool, text string) string {
	const header, segment = 64, 56
	interp, note := loader+"\x00", ""
	if pvh {
		note = "\x04\x00\x00\x00\x04\x00\x00\x00\x12\x00\x00\x00Xen\x00\x00\x00\x00\x01"
	}
	segments := []elf.Prog64{{Type: uint32(elf.PT_NULL)}, {Type: uint32(elf.PT_NULL)}}
	const at = header + 2*segment
	if loader != "" {
		segments[0] = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: at, Filesz: uint64(len(interp))}
	}
	if pvh {
		segments[1] = elf.Prog64{Type: uint32(elf.PT_NOTE), Off: at + uint64(len(interp)), Filesz: uint64(len(note))}
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: header, Ehsize: header, Phentsize: segment, Phnum: 2,
	})
	binary.Write(&b, binary.LittleEndian, segments)
	return b.String() + interp + note + text
}

const (
	release = "6.1.0-test"
	full    = "CONFIG_MODULES=n\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_PCI=y\n" +
		"CONFIG_DEVTMPFS=y\nCONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_VIRTIO_VSOCKETS=y\n"
)

var (
	vmlinux = elfOf(elf.EM_X86_64, "", true, "Linux version "+release+" (test) #1 SMP\n\x00")
	runs    = elfOf(elf.EM_X86_64, "", false, "")
)

// sectioned returns a program whose header names sections far after its end.
func sectioned(program string) string {
	b := []byte(program)
	binary.LittleEndian.PutUint64(b[40:], 1<<40)
	binary.LittleEndian.PutUint16(b[60:], 1000)
	return string(b)
}

// beyond returns a program whose second segment is after its end.
func beyond(program string) string {
	b := []byte(program)
	binary.LittleEndian.PutUint64(b[64+56+8:], 1<<40)
	return string(b)
}

// good returns an image that boots, and its kernel.
func good() (image, boot map[string]string) {
	image = map[string]string{
		"sbin/init": runs, "bin/sh": runs, "dev/": "", "proc/": "", "sys/": "", "run/": "", "tmp/": "",
	}
	return image, map[string]string{"vmlinux": vmlinux, "vmlinux.config": full}
}

// published publishes an image of a tree and the parts of a kernel. In the tree,
// "config.json:" is the image's config, and "label:PATH" gives a file a label of
// SELinux.
func published(t *testing.T, image, boot map[string]string) *store.Image {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	write(t, root, image)
	ctx := context.Background()
	mkfs, err := ext4.FindMkfs(ctx)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	source, err := bundle.Open(ctx, root, nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	rootfs := filepath.Join(dir, bundle.Ext4File)
	if err := os.WriteFile(rootfs, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	o := ext4.Options{Tree: source.Tree, Root: source.Root, Size: 16 << 20, Free: -1, Seed: [32]byte{31: 1}}
	for name := range image {
		if labelled, ok := strings.CutPrefix(name, "label:"); ok {
			n, _ := source.Tree.Find(strings.Split(labelled, "/"))
			n.Xattrs = append(n.Xattrs, tree.Xattr{Name: "security.selinux", Value: "system_u:object_r:init_exec_t:s0\x00"})
		}
	}
	if err := mkfs.Create(ctx, rootfs, o); err != nil {
		t.Fatal(err)
	}
	p := store.Publication{Rootfs: rootfs, Name: "x", Now: time.Unix(1, 0), Init: func(string) ([]byte, error) { return []byte("init"), nil }}
	if boot != nil {
		parts := filepath.Join(dir, "state/kernels/k")
		write(t, parts, boot)
		write(t, parts, map[string]string{"kernel.json": `{"version":1}`})
		if p.Kernel, err = store.Open(filepath.Join(dir, "state")).OpenKernel("k"); err != nil {
			t.Fatal(err)
		}
		defer p.Kernel.Close()
	}
	i, err := store.Open(filepath.Join(dir, "state")).Publish(ctx, p)
	if config, ok := image["config.json:"]; ok && err == nil {
		err = os.WriteFile(filepath.Join(i.Dir, bundle.ConfigFile), []byte(config), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// write writes files: a name that ends in a slash is a directory, content that
// begins with -> makes a symlink, and with data: a file that is not executable.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if strings.Contains(name, ":") {
			continue // no file
		}
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(content, "->"); ok && err == nil {
			err = os.Symlink(target, path)
		} else if strings.HasSuffix(name, "/") && err == nil {
			err = os.MkdirAll(path, 0o755)
		} else if data, ok := strings.CutPrefix(content, "data:"); ok && err == nil {
			err = os.WriteFile(path, []byte(data), 0o644)
		} else if err == nil {
			err = os.WriteFile(path, []byte(content), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ramdisk returns the initrd of a kernel; ramdiskFor, one for a machine.
func ramdisk(t *testing.T, modules ...string) string {
	t.Helper()
	c := initrd.Contents{}
	for _, name := range modules {
		c.Modules = append(c.Modules, kernel.Module{Name: name})
	}
	return written(t, c)
}

func ramdiskFor(t *testing.T, m guest.Machine) string {
	t.Helper()
	return written(t, initrd.Contents{Machine: &m})
}

func written(t *testing.T, c initrd.Contents) string {
	t.Helper()
	var b bytes.Buffer
	if err := initrd.Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// without returns a configuration without some options; as has them as modules.
func without(options ...string) string { return configured("n", options...) }
func as(options ...string) string      { return configured("m", options...) }
func configured(value string, options ...string) string {
	config := full
	for _, o := range options {
		config = strings.Replace(config, "CONFIG_"+o+"=y", "CONFIG_"+o+"="+value, 1)
	}
	return strings.ReplaceAll(config, "=n\n", " is not set\n")
}

// Each fault is found, as an error or a warning, and nothing else: an image that
// boots has no finding.
func TestCheck(t *testing.T) {
	const loader = "/lib64/ld-linux-x86-64.so.2"
	for _, c := range []struct {
		name        string
		image, boot map[string]string // over what is good; "-" takes something out
		want        string            // LEVEL CHECK: a part of the text, one a line
	}{
		{name: "nothing"},
		{"a script for an init", map[string]string{"sbin/init": "#!/bin/sh -e\n"}, nil, ""},
		{"through symlinks", map[string]string{"sbin/init": "->../lib/systemd/systemd", "lib": "->usr/lib", "usr/lib/systemd/systemd": runs}, nil, ""},
		{"sections that are not there", map[string]string{"sbin/init": sectioned(runs)}, map[string]string{"vmlinux": sectioned(vmlinux)}, ""},
		{"a loader", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, ""), loader[1:]: runs}, nil, ""},

		{"no kernel", nil, map[string]string{"vmlinux": "-"}, "error kernel: no kernel\nwarning guest: no initrd.img: the architecture is unknown"},
		{"text for a kernel", nil, map[string]string{"vmlinux": "text"}, "error kernel: vmlinux is not a Linux kernel\nwarning guest: no initrd.img: the architecture is unknown"},
		{"no PVH", nil, map[string]string{"vmlinux": elfOf(elf.EM_X86_64, "", false, "Linux version "+release+" (x)\x00")},
			"warning kernel: no PVH entry: Firecracker boots it, QEMU does not"},
		{"notes beyond the kernel", nil, map[string]string{"vmlinux": beyond(vmlinux)}, "error kernel: vmlinux is damaged: notes: EOF"},
		{"no initrd that can be read", nil, map[string]string{"initrd.img": "text"}, "error kernel: initrd.img cannot be read"},

		{"no ramdisk", nil, map[string]string{"vmlinux.config": without("BLK_DEV_INITRD")}, "warning kernel: no initial ramdisk: banger boot starts the image's init"},
		{"no ramdisk for an initrd", nil, map[string]string{"vmlinux.config": without("BLK_DEV_INITRD"), "initrd.img": ramdisk(t, "ext4")}, "error kernel: no initial ramdisk: initrd.img is ignored"},
		{"no ramdisk for a command", map[string]string{"sbin/init": "-", "bin/sh": "-"}, map[string]string{"vmlinux.config": without("BLK_DEV_INITRD")},
			"error kernel: no initial ramdisk: a command needs one"},

		{"no ext4", nil, map[string]string{"vmlinux.config": without("EXT4_FS")}, "error root: no ext4"},
		{"no virtio_blk", nil, map[string]string{"vmlinux.config": without("VIRTIO_BLK")}, "error root: no virtio_blk"},
		{"no virtio_mmio", nil, map[string]string{"vmlinux.config": without("VIRTIO_MMIO")}, "warning root: no virtio_mmio: Firecracker"},
		{"no virtio_pci", nil, map[string]string{"vmlinux.config": without("VIRTIO_PCI")}, ""},
		{"no way to a disk", nil, map[string]string{"vmlinux.config": without("VIRTIO_PCI", "VIRTIO_MMIO")}, "error root: neither virtio_mmio nor virtio_pci"},
		{"an initrd that is foreign", nil, map[string]string{"initrd.img": ramdisk(t) + ramdisk(t)}, "warning guest: initrd.img came with the kernel: it has no agent"},
		{"an initrd with a command", nil, map[string]string{"initrd.img": ramdiskFor(t, guest.Machine{Args: []string{"/bin/x"}})},
			"warning guest: initrd.img came with the kernel: it is for one machine"},
		{"an initrd of banger's", nil, map[string]string{"initrd.img": ramdisk(t)}, ""},

		{"drivers without modules", nil, map[string]string{"vmlinux.config": as("EXT4_FS", "VIRTIO_BLK", "VIRTIO_MMIO", "VIRTIO_PCI")},
			"error root: ext4 is a module, and it is not in initrd.img\nerror root: virtio_blk is a module\nerror root: virtio_mmio is a module"},
		{"drivers without an initrd", nil, map[string]string{"vmlinux.config": strings.Replace(without("BLK_DEV_INITRD"), "EXT4_FS=y", "EXT4_FS=m", 1)},
			"warning kernel: no initial ramdisk\nerror root: ext4 is a module, and there is no initrd to load it"},
		{"modules in an initrd", nil, map[string]string{"vmlinux.config": as("EXT4_FS", "VIRTIO_BLK", "VIRTIO_MMIO"), "initrd.img": ramdisk(t, "ext4", "virtio_blk", "virtio_mmio")}, ""},
		{"one not in the initrd", nil, map[string]string{"vmlinux.config": as("EXT4_FS", "VIRTIO_BLK"), "initrd.img": ramdisk(t, "ext4")},
			"error root: virtio_blk is a module, and it is not in initrd.img"},
		{"nothing known", nil, map[string]string{"vmlinux.config": "-"},
			"warning root: the kernel's configuration is unknown\nwarning modules: no modules for " + release},

		{"no devtmpfs, console, vsock", nil, map[string]string{"vmlinux.config": without("DEVTMPFS", "SERIAL_8250_CONSOLE", "VIRTIO_VSOCKETS")},
			"error guest: no devtmpfs\nwarning guest: no 8250 console\nwarning guest: no vsock"},

		{"vsock in a module of nowhere", nil, map[string]string{"vmlinux.config": as("VIRTIO_VSOCKETS")}, "warning guest: vsock is a module, neither in an initrd nor in the image or beside it"},
		{"the same, no others", nil, map[string]string{"vmlinux.config": as("VIRTIO_VSOCKETS") + "CONFIG_MODULES=y\n"}, "warning guest: vsock is a module\nwarning modules: no modules for"},
		{"vsock in an initrd", nil, map[string]string{"vmlinux.config": as("VIRTIO_VSOCKETS"), "initrd.img": ramdisk(t, "vmw_vsock_virtio_transport")}, ""},
		{"vsock in the image's modules", map[string]string{"lib/modules/" + release + "/": ""}, map[string]string{"vmlinux.config": as("VIRTIO_VSOCKETS")}, ""},

		{"no modules", nil, map[string]string{"vmlinux.config": full + "CONFIG_MODULES=y\n"}, "warning modules: no modules for " + release + ", neither in the image (none)"},
		{"others' modules", map[string]string{"lib/modules/5.10/": ""}, map[string]string{"vmlinux.config": full + "CONFIG_MODULES=y\n"}, "warning modules: (5.10)"},
		{"modules in the image", map[string]string{"lib": "->usr/lib", "usr/lib/modules/" + release + "/": ""}, map[string]string{"vmlinux.config": full + "CONFIG_MODULES=y\n"}, ""},

		{"a loader that leads to itself", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, ""), loader[1:]: "->" + loader}, nil, "error init: " + loader + " is not in the image"},
		{"modules that lead to themselves", map[string]string{"lib": "->lib"}, map[string]string{"vmlinux.config": full + "CONFIG_MODULES=y\n"}, "warning modules: no modules for " + release},
		{"a loader beyond the file", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, "")[:64+2*56+5]}, nil, "error arch: /sbin/init is damaged: its loader cannot be read: EOF"},
		{"a loader without a name", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, "\x00", false, "")}, nil, "error arch: no name"},
		{"a loader of too long a name", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, strings.Repeat("x", 5000), false, "")}, nil, "error arch: invalid name of 5001 bytes"},
		{"a loader that cannot be executed", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, ""), loader[1:]: "data:x"}, nil, "error init: " + loader + " cannot be executed"},
		{"a loader that is a directory", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, ""), loader[1:] + "/": ""}, nil, "error init: " + loader + " cannot be executed"},
		{"an empty init", map[string]string{"sbin/init": ""}, nil, "error arch: neither a program nor a script"},
		{"an init for another processor", map[string]string{"sbin/init": elfOf(elf.EM_AARCH64, "", false, "")}, nil, "error arch: /sbin/init is for arm64, the kernel is for amd64"},
		{"no loader", map[string]string{"sbin/init": elfOf(elf.EM_X86_64, loader, false, "")}, nil, "error init: " + loader + " is not in the image"},
		{"no interpreter", map[string]string{"sbin/init": "#! /usr/bin/perl -w\n"}, nil, "error init: /usr/bin/perl is not in the image"},
		{"a shell for another processor", map[string]string{"bin/sh": elfOf(elf.EM_AARCH64, "", false, "")}, nil, "error arch: /bin/sh is for arm64"},
		{"an interpreter for another processor", map[string]string{"sbin/init": "#!/bin/sh\n", "bin/sh": elfOf(elf.EM_RISCV, "", false, "")}, nil, "error arch: /bin/sh is for riscv"},

		{"no mount points", map[string]string{"proc/": "-", "run/": "-"}, nil, "warning mounts: no /proc, /run in the image: only banger-init makes them"},
		{"no /tmp", map[string]string{"tmp/": "-"}, nil, "warning mounts: no /tmp in the image: banger-init makes none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, boot := good()
			over(image, c.image)
			over(boot, c.boot)
			if boot["vmlinux"] == "" {
				boot = nil
			}
			compare(t, published(t, image, boot), c.want)
		})
	}
}

// The findings so far are returned with an error.
func TestCheckSoFar(t *testing.T) {
	image, boot := good()
	boot["vmlinux.config"] = without("EXT4_FS") + "CONFIG_MODULES=y\n"
	i := published(t, image, boot)
	if err := os.MkdirAll(filepath.Join(i.Dir, "modules"), 0o755); err != nil { // as an older banger left them
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.Dir, "modules/a.ko"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	findings, err := Check(t.Context(), i)
	if len(findings) != 1 || status.Of(err) != status.Bad {
		t.Errorf("%v, %v", findings, err)
	}
}

func over(files, more map[string]string) {
	for name, content := range more {
		if files[name] = content; content == "-" {
			delete(files, name)
		}
	}
}

// compare compares the findings for an image with what is wanted, one a line, and
// returns what the image runs.
func compare(t *testing.T, i *store.Image, want string) (runs []string) {
	t.Helper()
	findings, err := Check(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		if f.Level == Runs {
			runs = append(runs, f.Text)
		} else {
			got = append(got, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.Text))
		}
		if (f.Remedy == "") != (f.Level == Runs) || strings.Contains(f.Remedy, "KERNEL") {
			t.Errorf("%s: remedy %q", f.Text, f.Remedy)
		}
	}
	wanted := slices.DeleteFunc(strings.Split(want, "\n"), func(s string) bool { return s == "" })
	same := slices.EqualFunc(got, wanted, func(got, want string) bool {
		kind, words, _ := strings.Cut(want, ": ")
		return strings.HasPrefix(got, kind+": ") && strings.Contains(got, words)
	})
	if !same {
		t.Errorf("found\n%s\nwanted\n%s", strings.Join(got, "\n"), want)
	}
	if Bootable(findings) == strings.Contains(want, "error ") {
		t.Errorf("bootable: %v", Bootable(findings))
	}
	return runs
}
