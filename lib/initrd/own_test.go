// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"banger/lib/guest"
)

// ofImage is an initial ramdisk as it is published with an image.
func ofImage(t testing.TB) []byte {
	c := contents
	c.Machine = &guest.Machine{Hostname: "web"}
	return write(t, c)
}

// followed returns an archive and that of a machine.
func followed(t testing.TB, archive []byte, m guest.Machine) []byte {
	t.Helper()
	b := bytes.NewBuffer(slices.Clone(archive))
	if err := WriteMachine(b, int64(b.Len()), Contents{Machine: &m}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What Write wrote is recognized, and what it says is read.
func TestReadOwn(t *testing.T) {
	web, command := guest.Machine{Hostname: "web"}, guest.Machine{Hostname: "m", Args: []string{"/bin/x"}, Env: []string{"A=b"}}
	keys := []guest.Credential{{ID: guest.AuthorizedKeys, Data: []byte("ssh-ed25519 AAAA")}}
	for name, c := range map[string]struct {
		file    []byte
		machine guest.Machine
		modules int
	}{
		"a kernel's":             {write(t, Contents{Init: []byte("x"), Modules: contents.Modules}), guest.Machine{}, 2},
		"without modules":        {write(t, Contents{Config: contents.Config, Machine: &web}), web, 0},
		"an image's":             {ofImage(t), web, 2},
		"a machine's":            {followed(t, ofImage(t), command), command, 2},
		"of a kernel, a machine": {followed(t, write(t, Contents{}), command), command, 0},
		"compressed":             {pipe(t, "", ofImage(t), "gzip"), web, 2},
		"with keys":              {write(t, Contents{Config: contents.Config, Machine: &web, Credentials: keys}), web, 0},
	} {
		own, ok := ReadOwn(bytes.NewReader(c.file))
		if own.HasCredentials != (name == "with keys") || own.Personal() != (name == "with keys" || c.machine.Differs()) {
			t.Errorf("%s: %+v", name, own)
		}
		if !ok || !reflect.DeepEqual(own.Machine, c.machine) || !reflect.DeepEqual(own.Modules, contents.Modules[:c.modules:c.modules]) && c.modules > 0 || len(own.Modules) != c.modules {
			t.Errorf("%s: %+v, %v", name, own, ok)
		}
	}
}

// archive makes an archive of files: NAME or NAME=CONTENT. A name that ends in a
// slash is a directory.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	a := cpio.NewWriter(&b)
	for _, file := range files {
		name, content, _ := strings.Cut(file, "=")
		var err error
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			err = a.WriteHeader(&cpio.Header{Name: dir, Mode: cpio.TypeDir | 0o755, Links: 2})
		} else {
			err = add(a, name, 0o644, []byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// All else is foreign: nobody but its owner can make it again.
func TestReadOwnForeign(t *testing.T) {
	usual := []string{"dev/", "modules/", "proc/", "root/", "sys/", "init"}
	with := func(files ...string) []byte { return archive(t, slices.Concat(usual, files)...) }
	if _, ok := ReadOwn(bytes.NewReader(with("modules/000-a.ko", `machine.json={"hostname":"a"}`))); !ok {
		t.Error("what the others vary is foreign")
	}
	for name, file := range map[string][]byte{
		"nothing":                nil,
		"zeros":                  make([]byte, 100),
		"text":                   []byte("no archive"),
		"an empty archive":       archive(t),
		"only directories":       archive(t, usual[:5]...),
		"no init":                archive(t, append(usual[:5:5], "modules/000-a.ko")...),
		"no directory":           archive(t, usual[1:]...),
		"a distribution's":       archive(t, ".", "bin/", "etc/", "init", "usr/lib/modules/6.1/kernel/a.ko"),
		"one more file":          with("etc/passwd"),
		"one more at the end":    with("config.json={}", `machine.json={}`, "x"),
		"one more archive":       slices.Concat(ofImage(t), with()),
		"another form of module": with("modules/000-a.ko.xz"),
		"no number":              with("modules/a.ko"),
		"another number":         with("modules/001-a.ko"),
		"a number twice":         with("modules/000-a.ko", "modules/000-b.ko"),
		"another order":          with(`machine.json={}`, "config.json={}"),
		"another document":       with(`machine.json={"later":1}`),
		"no document":            with(`machine.json=text`),
		"a config after keys":    with("credentials/", "credentials/x=y", "config.json={}"),
		"keys elsewhere":         with("credentials/", "credentials/x/y=z"),
		"a config twice":         with("config.json={}", "config.json={}"),
	} {
		if own, ok := ReadOwn(bytes.NewReader(file)); ok {
			t.Errorf("%s: %+v", name, own)
		}
	}
	whole := ofImage(t)
	for at := range bytes.Index(whole, []byte(trailer)) + len(trailer) {
		if own, ok := ReadOwn(bytes.NewReader(whole[:at])); ok {
			t.Fatalf("cut to %d of %d bytes: %+v", at, len(whole), own)
		}
	}
}

// The archive of a machine can follow as it is: the kernel ignores what follows an
// archive that is not a multiple of four bytes.
func TestWriteAligned(t *testing.T) {
	for size := range 9 {
		c := Contents{Init: make([]byte, size), Config: make([]byte, size/2), Machine: &guest.Machine{Hostname: strings.Repeat("x", size)}}
		if n := len(write(t, c)); n%alignment != 0 {
			t.Errorf("%d bytes", n)
		}
	}
}
