// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"banger/lib/guest"
	"banger/lib/kernel"
	"banger/lib/status"
)

var contents = Contents{
	Init:    []byte("a program"),
	Modules: []kernel.Module{{Name: "virtio", Data: []byte("one")}, {Name: "virtio_blk", Data: []byte("two!")}},
	Config:  []byte(`{"config":{"Cmd":["/bin/sh"]}}`),
}

const listed = "dev modules proc root sys init modules/000-virtio.ko modules/001-virtio_blk.ko config.json"

func write(t testing.TB, c Contents) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pipe runs a program on bytes; it skips the test if the program is missing.
func pipe(t testing.TB, dir string, in []byte, program ...string) []byte {
	t.Helper()
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdin, cmd.Dir = bytes.NewReader(in), dir
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v", program, err)
	default:
		t.Skipf("%v: %v", program, err)
	}
	return nil
}

// Busybox's cpio unpacks what Write writes, and the bytes are the same each time.
func TestWrite(t *testing.T) {
	archive := write(t, contents)
	if !bytes.Equal(archive, write(t, contents)) {
		t.Error("other bytes the second time")
	}
	dir := t.TempDir()
	pipe(t, dir, archive, "busybox", "cpio", "-i")
	for name, want := range map[string]string{
		"init": "a program", "modules/000-virtio.ko": "one", "modules/001-virtio_blk.ko": "two!",
		"config.json": `{"config":{"Cmd":["/bin/sh"]}}`,
	} {
		if got, err := os.ReadFile(dir + "/" + name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(dir + "/init"); err != nil || info.Mode() != 0o755 {
		t.Errorf("init: %v, %v", info, err)
	}
	if got := string(pipe(t, dir, archive, "busybox", "cpio", "-t")); strings.Join(strings.Fields(got), " ") != listed {
		t.Errorf("listed: %q", got)
	}
}

// The archive of a machine follows any other archive, and both can be read.
func TestWriteMachine(t *testing.T) {
	for size := range 9 {
		archive := bytes.NewBuffer(write(t, Contents{Init: make([]byte, size)}))
		archive.Write(make([]byte, size%alignment)) // as others may end
		before := archive.Len()
		if err := WriteMachine(archive, int64(before), Contents{Machine: &guest.Machine{Args: []string{"/bin/sh", "a b"}, Ports: true}}); err != nil {
			t.Fatal(err)
		}
		names, err := Names(bytes.NewReader(archive.Bytes()))
		if err != nil || names[len(names)-1] != guest.MachineFile || archive.Len()%alignment != 0 {
			t.Errorf("%d bytes, then %d: %q, %v", before, archive.Len(), names, err)
		}
		if at := bytes.Index(archive.Bytes()[before:], []byte("070701")); (before+at)%alignment != 0 {
			t.Errorf("%d bytes, then an archive at %d", before, before+at)
		}
		if !bytes.Contains(archive.Bytes(), []byte(`{"args":["/bin/sh","a b"],"ports":true}`)) {
			t.Error("another machine")
		}
	}
}

// The order of the names of modules, in which they are loaded, is the given order
// for any number of them.
func TestWriteOrder(t *testing.T) {
	modules := make([]kernel.Module, 999)
	for i := range modules {
		modules[i].Name = strconv.Itoa(len(modules) - i)
	}
	all, err := Names(bytes.NewReader(write(t, Contents{Modules: modules})))
	if err != nil {
		t.Fatal(err)
	}
	all = all[len(all)-len(modules):]
	slices.Sort(all)
	for i, file := range all {
		if name, _ := ModuleName(file); name != modules[i].Name {
			t.Fatalf("the one at %d is %s, not %s", i, file, modules[i].Name)
		}
	}
	if err := Write(io.Discard, Contents{Modules: append(modules, modules[0])}); status.Of(err) != status.Bad {
		t.Errorf("one more: %v", err)
	}
}

// Names lists consecutive archives, the last possibly compressed, as in the initrds
// of distributions.
func TestNames(t *testing.T) {
	plain := write(t, contents)
	early := pipe(t, t.TempDir(), []byte("."), "busybox", "cpio", "-o", "-H", "newc")
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"plain":                   {plain, listed},
		"gzip":                    {pipe(t, "", plain, "gzip"), listed},
		"zstd":                    {pipe(t, "", plain, "zstd"), listed},
		"xz":                      {pipe(t, "", plain, "xz", "--check=crc32"), listed},
		"two":                     {slices.Concat(plain, plain), listed + " " + listed},
		"zeros between":           {slices.Concat(plain, make([]byte, 1000), plain, make([]byte, 8)), listed + " " + listed},
		"compressed behind plain": {slices.Concat(early, make([]byte, 512), pipe(t, "", plain, "zstd")), ". " + listed},
		"two in one gzip":         {pipe(t, "", slices.Concat(early, plain), "gzip"), ". " + listed},
		"nothing":                 {nil, ""},
	} {
		if got, err := Names(bytes.NewReader(c.file)); err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A truncation is an error except at the end of an archive.
func TestNamesDamaged(t *testing.T) {
	plain := write(t, contents)
	end := bytes.Index(plain, []byte(trailer)) + len(trailer)
	for at := 1; at < end; at++ {
		if got, err := Names(bytes.NewReader(plain[:at])); status.Of(err) != status.Bad {
			t.Fatalf("cut to %d of %d bytes: %q, %v", at, len(plain), got, err)
		}
	}
	for name, file := range map[string][]byte{
		"text": []byte("no archive"), "a compressed one in a compressed one": pipe(t, "", pipe(t, "", plain, "gzip"), "gzip"),
		"another archive": []byte("070707 of the old form, and then some bytes more than a header is long: ....................................."),
	} {
		if got, err := Names(bytes.NewReader(file)); status.Of(err) != status.Bad {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestModuleName(t *testing.T) {
	for file, want := range map[string]string{
		"modules/007-virtio_blk.ko": "virtio_blk", "modules/07-virtio_blk.ko": "virtio_blk", "usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko.zst": "virtio_blk",
		"lib/modules/6.1/kernel/drivers/char/hw_random/virtio-rng.ko.xz": "virtio_rng", "lib/modules/6.1/modules.dep": "", "init": "",
	} {
		if got, ok := ModuleName(file); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", file, got, ok)
		}
	}
}

// FuzzNames reads arbitrary files.
func FuzzNames(f *testing.F) {
	f.Add(write(f, contents))
	f.Add(pipe(f, "", write(f, contents), "gzip"))
	f.Add(pipe(f, "", write(f, contents), "xz"))
	f.Add(followed(f, ofImage(f), guest.Machine{Args: []string{"/bin/x"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		Names(bytes.NewReader(b))
		ReadOwn(bytes.NewReader(b))
	})
}
