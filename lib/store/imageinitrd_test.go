// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banger/lib/bundle"
	"banger/lib/guest"
	"banger/lib/initrd"
	"banger/lib/kernel"
)

// bootable is the configuration of a kernel that needs no initrd and takes one.
const bootable = built + "CONFIG_BLK_DEV_INITRD=y\n"

// ramdiskWith returns the bytes of an initrd that banger made.
func ramdiskWith(t *testing.T, c initrd.Contents) string {
	t.Helper()
	var b bytes.Buffer
	if err := initrd.Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every image has an initrd.img of its own, unless its kernel came with another or
// takes none, or there is no banger-init for it.
func TestPublishInitrd(t *testing.T) {
	const always, own = "dev modules proc root sys init ", "config.json machine.json"
	drivers := initrd.Contents{Init: []byte("old"), Modules: []kernel.Module{{Name: "ext4", Data: []byte("kept")}}}
	command := initrd.Contents{Init: []byte("old"), Machine: &guest.Machine{Args: []string{"/bin/x"}}}
	for name, c := range map[string]struct {
		platform string
		kernel   fstest.MapFS // nil for none
		inside   string       // names in the initrd; "" for none, or for theirs
		theirs   string
		holds    string
	}{
		"no kernel":             {platform: "linux/arm64/v8", inside: always + own, holds: "init for arm64"},
		"no kernel, odd":        {platform: "linux/s390x"},
		"no kernel, a path":     {platform: "linux/../../amd64"},
		"no kernel, unknown":    {},
		"not a kernel":          {platform: "linux/amd64", kernel: fstest.MapFS{"vmlinux": {Data: []byte("text")}}, inside: always + own, holds: "init for amd64"},
		"not a kernel, no arch": {kernel: fstest.MapFS{"vmlinux": {Data: []byte("text")}}},
		"needs none": {platform: "linux/arm64", kernel: fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(bootable)}},
			inside: always + own, holds: "init for amd64"}, // that of the kernel
		"nothing known": {kernel: fstest.MapFS{"vmlinux": vmlinux("6.1")}, inside: always + own, holds: "init for amd64"},
		"modular": {kernel: modularWith(t, "CONFIG_BLK_DEV_INITRD=y\n"),
			inside: always + "modules/000-virtio_blk.ko modules/001-jbd2.ko modules/002-ext4.ko " + own, holds: "init for amd64"},
		"takes none":     {kernel: fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(built)}}},
		"theirs":         {kernel: fstest.MapFS{"vmlinux": vmlinux("6.1"), "initrd.img": {Data: []byte("theirs")}}, theirs: "theirs"},
		"with a command": {kernel: fstest.MapFS{"vmlinux": vmlinux("6.1"), "initrd.img": {Data: []byte(ramdiskWith(t, command))}}, theirs: ramdiskWith(t, command)},
		"banger's, the only one with modules": {
			kernel: fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(strings.ReplaceAll(bootable, "EXT4_FS=y", "EXT4_FS=m"))},
				"initrd.img": {Data: []byte(ramdiskWith(t, drivers))}},
			inside: always + "modules/000-ext4.ko " + own, holds: "kept",
		},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := publishInitrd(t, t.TempDir(), c.platform, c.kernel, "init")
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(i.Dir, initrdPart))
			if c.inside == "" && c.theirs == "" {
				if i.InitrdPath() != "" || !errors.Is(err, os.ErrNotExist) {
					t.Fatalf("%q, %v", i.InitrdPath(), err)
				}
				return
			}
			if err != nil || i.InitrdPath() != filepath.Join(i.Dir, initrdPart) || (i.Kernel == nil) != (i.Initrd != "") {
				t.Fatalf("%q, %q, %v", i.InitrdPath(), i.Initrd, err)
			}
			if c.theirs != "" {
				if string(raw) != c.theirs {
					t.Errorf("%q", raw)
				}
				return
			}
			all, err := initrd.Names(bytes.NewReader(raw))
			if err != nil || strings.Join(all, " ") != c.inside {
				t.Errorf("%v, %v", all, err)
			}
			machine := `{"hostname":"acme-web-1"}`
			if _, uuid, err := i.ModulesDisk(); err != nil || (uuid != "") != (name == "modular") {
				t.Errorf("modules %q, %v", uuid, err)
			} else if uuid != "" {
				machine = `{"hostname":"acme-web-1","modules":"` + uuid + `"}`
			}
			for _, want := range []string{c.holds, `{"config":{"Cmd":["/bin/app"]}}`, machine} {
				if !bytes.Contains(raw, []byte(want)) {
					t.Errorf("without %s", want)
				}
			}
		})
	}
}

// modularWith returns a kernel whose configuration has more lines.
func modularWith(t *testing.T, more string) fstest.MapFS {
	files := modular(t, "6.1.0-x")
	files["boot/config-6.1.0-x"].Data = append(files["boot/config-6.1.0-x"].Data, more...)
	return files
}

// publishInitrd publishes an image for a platform in a new store in dir, with a
// kernel of the store. One that is no kernel is given as a file.
func publishInitrd(t *testing.T, dir, platform string, files fstest.MapFS, init string) (*Image, error) {
	t.Helper()
	s, source := Open(filepath.Join(dir, "state")), filepath.Join(dir, "x")
	p := Publication{Rootfs: rootfs(t, source, "acme/web:1"), Now: now, Init: program(init)}
	write(t, filepath.Join(source, bundle.RecordFile), `{"version":1,"reference":"acme/web:1","platform":"`+platform+`"}`)
	switch {
	case files == nil:
	case files["vmlinux"] != nil && string(files["vmlinux"].Data) == "text":
		write(t, filepath.Join(dir, "vmlinux"), "text")
		p.Kernel = Files(filepath.Join(dir, "vmlinux"), "", "")
	default:
		if _, err := add(t, s, "k", files); err != nil {
			t.Fatal(err)
		}
		k, err := s.OpenKernel("k")
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		p.Kernel = k
	}
	return s.Publish(t.Context(), p)
}

// The same image and kernel give the same bytes, in any directory and at any time,
// and they are those of WriteInitrd.
func TestPublishInitrdSame(t *testing.T) {
	var first []byte
	for range 2 {
		i, err := publishInitrd(t, t.TempDir(), "linux/amd64", modularWith(t, "CONFIG_BLK_DEV_INITRD=y\n"), "init")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(i.InitrdPath())
		if err != nil || first != nil && !bytes.Equal(raw, first) {
			t.Errorf("other bytes, %v", err)
		}
		first = raw
		var again bytes.Buffer
		if err := i.WriteInitrd(t.Context(), &again, Personal{}, program("init")); err != nil || !bytes.Equal(again.Bytes(), raw) {
			t.Errorf("WriteInitrd writes others, %v", err)
		}
	}
}

// Without a program for the initrd, nothing is published.
func TestPublishInitrdFails(t *testing.T) {
	s, dir := Open(t.TempDir()), t.TempDir()
	gone := errors.New("no program")
	p := Publication{Rootfs: rootfs(t, dir, "acme/web:1"), Now: now, Init: func(string) ([]byte, error) { return nil, gone }}
	write(t, filepath.Join(dir, bundle.RecordFile), `{"version":1,"reference":"acme/web:1","platform":"linux/amd64"}`)
	if _, err := s.Publish(t.Context(), p); !errors.Is(err, gone) || names(t, s.images()) != "" {
		t.Errorf("%v, left %s", err, names(t, s.images()))
	}
}

// An image is published again, from its own directory, without the initrd that it
// had with another kernel or none.
func TestPublishInitrdAgain(t *testing.T) {
	dir := t.TempDir()
	i, err := publishInitrd(t, dir, "linux/amd64", nil, "init")
	if err != nil || i.Initrd != initrdPart {
		t.Fatalf("%+v, %v", i, err)
	}
	s := Open(filepath.Join(dir, "state"))
	for _, c := range []struct {
		config string
		want   bool // an initrd.img
	}{{bootable, true}, {built, false}} {
		k, err := s.AddKernel(t.Context(), Addition{
			Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(c.config)}}, Replace: true, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.OpenKernel(k.Name)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		p := Publication{Rootfs: filepath.Join(i.Dir, bundle.Ext4File), Kernel: b, Replace: true, Now: now.Add(time.Hour), Init: program("init")}
		i, err = s.Publish(t.Context(), p)
		if err != nil || i.Initrd != "" || (i.Kernel.Initrd != "") != c.want || exists(filepath.Join(i.Dir, initrdPart)) != c.want {
			t.Fatalf("%+v, %v", i, err)
		}
	}
}
