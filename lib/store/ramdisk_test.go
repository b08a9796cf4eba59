// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banger/lib/initrd"
	"banger/lib/status"
)

// program is an Init that returns the same for each architecture.
func program(text string) func(string) ([]byte, error) {
	return func(arch string) ([]byte, error) { return []byte(text + " for " + arch), nil }
}

// ramdiskOf returns a kernel's initrd: the names in it, and its bytes.
func ramdiskOf(t *testing.T, k *Kernel) (inside string, raw []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(k.Dir, initrdPart))
	if err != nil {
		t.Fatal(err)
	}
	all, err := initrd.Names(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " "), raw
}

const modularInitrd = "dev modules proc root sys init modules/000-virtio_blk.ko modules/001-jbd2.ko modules/002-ext4.ko"

// A kernel with its drivers as modules gets an initrd that has them.
func TestInitrdMade(t *testing.T) {
	s := Open(t.TempDir())
	k, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, k.Dir); got != "bzImage initrd.img kernel.json modules.ext4 vmlinux vmlinux.config" {
		t.Errorf("it holds %s", got)
	}
	if raw, err := os.ReadFile(filepath.Join(k.Dir, vmlinuxPart)); err != nil || !bytes.Equal(raw, vmlinux("6.1.0-x").Data) {
		t.Errorf("not the kernel inside the bzImage: %q, %v", raw, err)
	}
	inside, raw := ramdiskOf(t, k)
	if inside != modularInitrd || !bytes.Contains(raw, []byte("init for amd64")) {
		t.Errorf("its initrd holds %s", inside)
	}
}

// An initrd of the source is kept, and Init is not called.
func TestInitrdBrought(t *testing.T) {
	s := Open(t.TempDir())
	files := modular(t, "6.1.0-x")
	files["initrd.img"] = &fstest.MapFile{Data: []byte("theirs")}
	k, err := s.AddKernel(context.Background(), Addition{Name: "k", Files: files, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(k.Dir, initrdPart)); err != nil || string(raw) != "theirs" {
		t.Errorf("%q, %v", raw, err)
	}
}

// A remade initrd has the current program; all else is unchanged.
func TestRemakeInitrd(t *testing.T) {
	s := Open(t.TempDir())
	for name, brought := range map[string]bool{"made": false, "brought": true} {
		files := modular(t, "6.1.0-x")
		if brought {
			files["initrd.img"] = &fstest.MapFile{Data: []byte("theirs")}
		}
		old, err := s.AddKernel(context.Background(), Addition{
			Name: name, Files: files, Source: "there", Distro: "void", Now: now, Init: program("first"),
		})
		if err != nil {
			t.Fatal(err)
		}
		path, err := s.RemakeInitrd(context.Background(), name, program("second"), now.Add(time.Hour))
		if err != nil || path != filepath.Join(old.Dir, initrdPart) {
			t.Fatalf("%s: %q, %v", name, path, err)
		}
		k, err := s.Kernel(name)
		if err != nil {
			t.Fatal(err)
		}
		if k.Source != "there" || k.Distro != "void" || k.Release != "6.1.0-x" || !k.Added.Equal(now.Add(time.Hour)) {
			t.Errorf("%s: %+v", name, k.KernelRecord)
		}
		if len(k.SHA256) != len(old.SHA256) {
			t.Errorf("%s: parts %v, were %v", name, k.SHA256, old.SHA256)
		}
		for part, digest := range old.SHA256 {
			if (k.SHA256[part] == digest) != (part != initrdPart) {
				t.Errorf("%s: %s is %s, was %s", name, part, k.SHA256[part], digest)
			}
		}
		if inside, raw := ramdiskOf(t, k); inside != modularInitrd || !bytes.Contains(raw, []byte("second for amd64")) {
			t.Errorf("%s: its initrd holds %s", name, inside)
		}
	}
	if got := names(t, s.kernels()); got != "brought made" {
		t.Errorf("among the kernels: %s", got)
	}
}

// A kernel that needs no initrd has none afterwards, even if it came with one.
func TestRemakeInitrdNeedless(t *testing.T) {
	s := Open(t.TempDir())
	files := fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(built)}, "initrd.img": {Data: []byte("theirs")}}
	k, err := add(t, s, "k", files)
	if err != nil || k.SHA256[initrdPart] == "" {
		t.Fatalf("%+v, %v", k, err)
	}
	if path, err := s.RemakeInitrd(context.Background(), "k", nil, now); path != "" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
	if got := names(t, k.Dir); got != "kernel.json vmlinux vmlinux.config" {
		t.Errorf("it holds %s", got)
	}
}

// If it cannot be made, the kernel is unchanged, and nothing is left beside it.
func TestRemakeInitrdFails(t *testing.T) {
	s := Open(t.TempDir())
	old, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	_, before := ramdiskOf(t, old)
	gone := errors.New("no program")
	init := func(string) ([]byte, error) { return nil, gone }
	if _, err := s.RemakeInitrd(context.Background(), "k", init, now); !errors.Is(err, gone) {
		t.Errorf("without a program: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.RemakeInitrd(ctx, "k", program("second"), now); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := s.RemakeInitrd(context.Background(), "none", program("x"), now); status.Of(err) != status.NoInput {
		t.Errorf("of no kernel: %v", err)
	}
	if _, after := ramdiskOf(t, old); !bytes.Equal(before, after) || names(t, s.kernels()) != "k" {
		t.Errorf("it has changed, or left something: %s", names(t, s.kernels()))
	}
}

// A copy under way continues with the old kernel.
func TestRemakeInitrdHeld(t *testing.T) {
	s := Open(t.TempDir())
	old, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	_, before := ramdiskOf(t, old)
	b, err := s.OpenKernel("k")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := s.RemakeInitrd(context.Background(), "k", program("second"), now); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	r, err := b.stageInto(context.Background(), into)
	if err != nil || r.Initrd == "" || r.Modules == "" || r.BzImage == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if raw, err := os.ReadFile(filepath.Join(into, r.Initrd)); err != nil || !bytes.Equal(raw, before) {
		t.Errorf("another initrd, %v", err)
	}
}

// Concurrent changes of the kernel are not undone.
func TestRemakeInitrdMeanwhile(t *testing.T) {
	for what, c := range map[string]struct {
		act  func(*Store) error
		code status.Code
		left string // release
	}{
		"removed": {func(s *Store) error { return s.RemoveKernel("k") }, status.NoInput, ""},
		"replaced": {func(s *Store) error {
			_, err := s.AddKernel(context.Background(), Addition{
				Name: "k", Files: modular(t, "6.2"), Source: "other", Replace: true, Now: now, Init: program("other"),
			})
			return err
		}, status.Temporary, "6.2"},
	} {
		s := Open(t.TempDir())
		if _, err := add(t, s, "k", modular(t, "6.1")); err != nil {
			t.Fatal(err)
		}
		_, err := s.RemakeInitrd(context.Background(), "k", func(string) ([]byte, error) { return []byte("init"), c.act(s) }, now)
		if status.Of(err) != c.code {
			t.Errorf("%s: status %d, %v", what, status.Of(err), err)
		}
		left := ""
		if k, err := s.Kernel("k"); err == nil {
			left = k.Release
		}
		if left != c.left || strings.Contains(names(t, s.kernels()), ".") {
			t.Errorf("%s: left %q, %s", what, left, names(t, s.kernels()))
		}
	}
}
