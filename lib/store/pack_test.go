// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banger/lib/archive"
	"banger/lib/status"
)

// packed packs a kernel into a new file.
func packed(t *testing.T, s *Store, name string) (path string, size int64, digest string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "k.tar.zst")
	write(t, path, "")
	size, digest, err := openKernel(t, s, name).PackFile(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return path, size, digest
}

// openKernel opens a kernel until the test ends.
func openKernel(t *testing.T, s *Store, name string) *KernelFiles {
	t.Helper()
	b, err := s.OpenKernel(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// The record of an open kernel describes the files that are packed, even if the
// kernel is replaced before or meanwhile.
func TestPackHeld(t *testing.T) {
	s := Open(t.TempDir())
	replace := func(release string) error {
		_, err := s.AddKernel(context.Background(), Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux(release)}, Replace: true, Now: now})
		return err
	}
	if err := replace("6.0"); err != nil {
		t.Fatal(err)
	}
	change := func(i int) error { return replace(fmt.Sprint("6.", i)) }
	whileChanging(t, change, func() error {
		b, err := s.OpenKernel("k")
		if err != nil {
			return err
		}
		defer b.Close()
		raw, err := fs.ReadFile(b.files, vmlinuxPart)
		if release := b.Kernel.Release; err != nil || !bytes.Contains(raw, []byte("version "+release+" ")) {
			t.Errorf("said to be %s: %q, %v", release, raw, err)
		}
		return nil
	})
}

// A packed kernel can be added again as the same kernel, under any name.
func TestPackTakenBack(t *testing.T) {
	s := Open(t.TempDir())
	files := modular(t, "6.1.0-x")
	files["lib/modules/6.1.0-x/modules.empty"] = &fstest.MapFile{}
	want, err := add(t, s, "k", files)
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ := packed(t, s, "k")
	unpacked, err := archive.Open(context.Background(), filepath.Join(t.TempDir(), "files"), path, func(text string) { t.Error(text) })
	if err != nil {
		t.Fatal(err)
	}
	defer unpacked.Close()
	got, err := Open(t.TempDir()).AddKernel(context.Background(), Addition{Name: "again", Files: unpacked.FS, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SHA256) != 5 || !maps.Equal(got.SHA256, want.SHA256) || got.Release != want.Release || got.Arch != want.Arch {
		t.Errorf("%+v, it was %+v", got.KernelRecord, want.KernelRecord)
	}
}

// The bytes depend only on the parts: not on their times or modes, nor on the
// kernel's name or source.
func TestPackReproducible(t *testing.T) {
	a, b := Open(t.TempDir()), Open(t.TempDir())
	if _, err := add(t, a, "k", modular(t, "6.1.0-x")); err != nil {
		t.Fatal(err)
	}
	k, err := b.AddKernel(context.Background(), Addition{
		Name: "other", Files: modular(t, "6.1.0-x"), Source: "elsewhere", Distro: "void", Now: now.Add(time.Hour),
		Init: func(string) ([]byte, error) { return []byte("init for amd64"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{vmlinuxPart, modulesPart} {
		if err := errors.Join(os.Chmod(filepath.Join(k.Dir, part), 0o700), os.Chtimes(filepath.Join(k.Dir, part), now, now)); err != nil {
			t.Fatal(err)
		}
	}
	path, size, digest := packed(t, a, "k")
	_, size2, digest2 := packed(t, b, "other")
	if size != size2 || digest != digest2 {
		t.Errorf("%d bytes of %s, %d bytes of %s", size, digest, size2, digest2)
	}
	raw, err := os.ReadFile(path)
	if sum := sha256.Sum256(raw); err != nil || int64(len(raw)) != size || hex.EncodeToString(sum[:]) != digest {
		t.Errorf("said to be %d bytes of %s: %d of %x, %v", size, digest, len(raw), sum, err)
	}
}

// The archive has the parts and no record, and neither owners nor times.
func TestPackListed(t *testing.T) {
	s := Open(t.TempDir())
	if _, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1"), "modules/modules.builtin": {Data: []byte("x\n")}, "modules/modules.dep.bin": {}}); err != nil {
		t.Fatal(err)
	}
	path, _, _ := packed(t, s, "k")
	cmd := exec.Command("tar", "--zstd", "--numeric-owner", "--utc", "-tvf", path)
	out, err := cmd.CombinedOutput()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	} else if err != nil {
		t.Skipf("%v: %v", cmd, err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line) // mode, owner, size, date, time, name
		got = append(got, strings.Join([]string{f[0], f[1], f[3], f[4], f[5]}, " "))
	}
	want := []string{
		"drwxr-xr-x 0/0 1970-01-01 00:00 modules/",
		"-rw-r--r-- 0/0 1970-01-01 00:00 modules/modules.builtin",
		"-rw-r--r-- 0/0 1970-01-01 00:00 modules/modules.dep.bin",
		"-rw-r--r-- 0/0 1970-01-01 00:00 vmlinux",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", out)
	}
}

func TestPackFails(t *testing.T) {
	s := Open(t.TempDir())
	if _, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1")}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "none")
	b := openKernel(t, s, "k")
	if _, _, err := b.PackFile(context.Background(), path); status.Of(err) != status.NoInput {
		t.Errorf("into a file that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Pack(ctx, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	if err := b.Pack(context.Background(), full); status.Of(err) != status.Create {
		t.Errorf("onto a full disk: %v", err)
	}
}
