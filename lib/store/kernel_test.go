// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"banger/lib/status"
)

const built = "CONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_MMIO=y\n"

// vmlinux returns a minimal kernel.
func vmlinux(release string) *fstest.MapFile {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	copy(head[16:], "\x02\x00\x3e\x00\x01")
	return &fstest.MapFile{Data: append(head, "Linux version "+release+" (test) #1-Alpine SMP\n\x00"...)}
}

func add(t *testing.T, s *Store, name string, files fs.FS) (*Kernel, error) {
	t.Helper()
	return s.AddKernel(context.Background(), Addition{
		Name: name, Files: files, Source: "test", Now: now,
		Init: func(arch string) ([]byte, error) { return []byte("init for " + arch), nil },
	})
}

func TestAddKernel(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	k, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1.0-x"), "config": {Data: []byte(built)}})
	if err != nil {
		t.Fatal(err)
	}
	if k.Name != "k" || k.Dir != filepath.Join(dir, "kernels/k") || k.Release != "6.1.0-x" || k.Arch != "amd64" ||
		k.Distro != "alpine" || k.Source != "test" || !k.Added.Equal(now) {
		t.Errorf("%+v of %+v", k, k.KernelRecord)
	}
	if got := names(t, k.Dir); got != "kernel.json vmlinux vmlinux.config" {
		t.Errorf("it holds %s", got)
	}
	if _, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.2")}); status.Of(err) != status.Create {
		t.Errorf("over a kernel: %v", err)
	}
	if err := s.RemoveKernel("k"); err != nil || names(t, filepath.Join(dir, "kernels")) != "" {
		t.Errorf("%v, left %s", err, names(t, filepath.Join(dir, "kernels")))
	}
	if err := s.RemoveKernel("k"); status.Of(err) != status.NoInput {
		t.Errorf("removed twice: %v", err)
	}
}

// What cannot boot is refused, and leaves nothing.
func TestAddKernelRefused(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	elf := vmlinux("6.1")
	for name, c := range map[string]struct {
		files fstest.MapFS
		words string
	}{
		"none":                 {fstest.MapFS{"x": elf}, "no kernel"},
		"modules, but not one": {fstest.MapFS{"vmlinux": elf, "config": {Data: []byte(strings.ReplaceAll(built, "=y", "=m"))}}, "there are no modules"},
		"an empty config":      {fstest.MapFS{"vmlinux": elf, "config": {}}, "no CONFIG_ line"},
	} {
		if _, err := add(t, s, "k", c.files); status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := Addition{Name: "k", Files: fstest.MapFS{"vmlinux": elf}, Arch: "arm64", Now: now}
	if _, err := s.AddKernel(context.Background(), broken); status.Of(err) != status.Bad {
		t.Errorf("for another processor: %v", err)
	}
	if got := names(t, filepath.Join(dir, "kernels")); got != "" {
		t.Errorf("left %s", got)
	}
	for _, name := range []string{"", ".", "../x", "a/b", ".hidden"} {
		if _, err := add(t, s, name, fstest.MapFS{"vmlinux": elf}); status.Of(err) != status.Usage {
			t.Errorf("%q for a name: %v", name, err)
		}
	}
}

// A kernel being copied does not change when it is removed or replaced.
func TestOpenKernelHeld(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	for _, release := range []string{"6.1", "6.2"} {
		a := Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux(release)}, Now: now, Replace: true}
		if _, err := s.AddKernel(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		b, err := s.OpenKernel("k")
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if release == "6.2" {
			err = s.RemoveKernel("k")
		} else {
			a.Files = fstest.MapFS{"vmlinux": vmlinux("6.3")}
			_, err = s.AddKernel(context.Background(), a)
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.stageInto(context.Background(), t.TempDir())
		if err != nil || r.Release != release {
			t.Errorf("%+v, not %s, %v", r, release, err)
		}
		b.Close()
	}
	if _, err := s.OpenKernel("k"); status.Of(err) != status.NoInput {
		t.Errorf("a kernel that was removed: %v", err)
	}
	scratch, err := s.Scratch("k", false)
	if err != nil {
		t.Fatal(err)
	}
	scratch.Discard()
	if got := names(t, filepath.Join(dir, "kernels")); got != "" {
		t.Errorf("not swept away: %s", got)
	}
}

// A part that cannot be copied is an error.
func TestOpenKernelDamaged(t *testing.T) {
	s := Open(t.TempDir())
	for _, name := range []string{modulesPart, initrdPart} {
		k, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1")})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("nowhere", filepath.Join(k.Dir, name)); err != nil {
			t.Fatal(err)
		}
		b, err := s.OpenKernel("k")
		if err != nil {
			t.Fatal(err)
		}
		if r, err := b.stageInto(context.Background(), t.TempDir()); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
		if err := errors.Join(b.Close(), s.RemoveKernel("k")); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory without a record is not a kernel.
func TestKernelDamaged(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	write(t, filepath.Join(dir, "kernels/old/vmlinux"), "x")
	write(t, filepath.Join(dir, "kernels/new/kernel.json"), `{"version":2}`)
	write(t, filepath.Join(dir, "kernels/text/kernel.json"), `text`)
	for _, name := range []string{"old", "new", "text"} {
		if _, err := s.Kernel(name); status.Of(err) != status.Bad {
			t.Errorf("%s: %v", name, err)
		}
	}
	var skipped []error
	all, err := s.Kernels(func(err error) { skipped = append(skipped, err) })
	if err != nil || len(all) != 0 || len(skipped) != 3 {
		t.Errorf("%v, %v, %v", all, skipped, err)
	}
	if err := s.RemoveKernel("text"); err != nil {
		t.Errorf("one with a damaged record: %v", err)
	}
}

// A lookup while a kernel is added and removed finds all of it, or none.
func TestKernelComing(t *testing.T) {
	s := Open(t.TempDir())
	change := func(int) error {
		_, err := s.AddKernel(context.Background(), Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux("6.1")}, Now: now})
		return errors.Join(err, s.RemoveKernel("k"))
	}
	whileChanging(t, change, func() error {
		_, err := s.Kernel("k")
		if status.Of(err) == status.NoInput {
			return nil
		}
		return err
	})
}

// An initrd for an image is made from the image's own parts.
func TestWriteInitrd(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	if _, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(built)}}); err != nil {
		t.Fatal(err)
	}
	b, err := s.OpenKernel("k")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	image, err := s.Publish(context.Background(), Publication{
		Rootfs: rootfs(t, filepath.Join(dir, "x"), "acme/web:1"), Kernel: b, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	init := func(arch string) ([]byte, error) { return []byte("init for " + arch), nil }
	var with, without bytes.Buffer
	if err := errors.Join(image.WriteInitrd(t.Context(), &with, Personal{Command: []string{"/bin/x", "a b"}}, init), image.WriteInitrd(t.Context(), &without, Personal{}, init)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(with.String(), "init for amd64") || !strings.Contains(with.String(), `{"hostname":"acme-web-1","args":["/bin/x","a b"]}`) {
		t.Errorf("%q", with.String())
	}
	if err := image.WriteInitrd(t.Context(), &without, Personal{Command: []string{"/bin/x", "caf\xe9"}}, init); status.Of(err) != status.Usage {
		t.Errorf("an argument that JSON cannot hold: %v", err)
	}
	if strings.Contains(without.String(), "args") {
		t.Errorf("without a command: %q", without.String())
	}
	again, err := s.Publish(context.Background(), Publication{Rootfs: filepath.Join(image.Dir, "rootfs.ext4"), Name: image.Name, Replace: true, Now: now})
	if err != nil || again.Kernel != nil || again.Reference != "acme/web:1" || again.Ext4.UUID != image.Ext4.UUID {
		t.Errorf("published again, from itself: %+v, %v", again, err)
	}
	image.Kernel = nil
	if err := image.WriteInitrd(t.Context(), &with, Personal{}, init); status.Of(err) != status.Bad {
		t.Errorf("without a kernel: %v", err)
	}
}
