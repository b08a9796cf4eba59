// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"banger/lib/ext4"
	"banger/lib/status"
)

// modulesOf opens modules.ext4 in a directory.
func modulesOf(t *testing.T, dir string) *ext4.FS {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, modulesPart))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := ext4.NewFS(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { modules.Close() })
	return modules
}

// The disk is a sound filesystem with what the source has and what modprobe needs,
// the same bytes wherever it was made, also from itself.
func TestModulesDisk(t *testing.T) {
	s := Open(t.TempDir())
	first, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(first.Dir, modulesPart)
	if out, err := exec.Command("e2fsck", "-fn", disk).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if err := fstest.TestFS(modulesOf(t, first.Dir), "kernel/fs/ext4/ext4.ko", "modules.builtin", "modules.dep", "modules.dep.bin", "modules.alias.bin"); err != nil {
		t.Error(err)
	}
	again, err := Open(t.TempDir()).AddKernel(context.Background(), Addition{Name: "k", Files: os.DirFS(first.Dir), Now: now})
	if err != nil || again.SHA256[modulesPart] != first.SHA256[modulesPart] {
		t.Errorf("%+v, %v, it was %+v", again, err, first.SHA256)
	}
}

// An image shares the parts of its kernel, which cannot be written to, and keeps
// them when the kernel or another image is removed. Parts that can be written to
// are copied.
func TestPartsLinked(t *testing.T) {
	s := Open(t.TempDir())
	k, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{"first": t.TempDir(), "second": t.TempDir(), "writable": t.TempDir()}
	for _, name := range []string{"first", "second", "writable"} {
		if name == "writable" {
			if err := os.Chmod(filepath.Join(k.Dir, vmlinuxPart), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := s.OpenKernel("k")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.stageInto(context.Background(), dirs[name]); err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	for part, links := range map[string]uint64{vmlinuxPart: 3, modulesPart: 4, configPart: 4} {
		info, err := os.Stat(filepath.Join(dirs["first"], part))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Nlink; got != links && links > 0 {
			t.Errorf("%s: %d names, want %d", part, got, links)
		}
	}
	if err := errors.Join(s.RemoveKernel("k"), os.RemoveAll(dirs["first"])); err != nil {
		t.Fatal(err)
	}
	for part, digest := range k.SHA256 {
		if got, err := sum(context.Background(), filepath.Join(dirs["second"], part)); !errors.Is(err, fs.ErrNotExist) && (err != nil || got != digest) {
			t.Errorf("%s: %s, %v, it was %s", part, got, err, digest)
		}
	}
}

// The modules of a kernel that an older banger added are made into a disk.
func TestModulesOfOlder(t *testing.T) {
	s := Open(t.TempDir())
	k, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1")})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(k.Dir, "modules/kernel/a.ko"), string(module(t, "6.1", "").Data))
	b, err := s.OpenKernel("k")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	into := t.TempDir()
	if r, err := b.stageInto(context.Background(), into); err != nil || r.Modules != modulesPart {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := fs.Stat(modulesOf(t, into), "kernel/a.ko"); err != nil || exists(filepath.Join(into, modulesDir)) {
		t.Error(err)
	}
}

// --modules may be /lib/modules, which has directories of several releases. One
// without that of the kernel is refused, and those that it has are named.
func TestModulesDepth(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "vmlinux"), string(vmlinux("6.1").Data))
	write(t, filepath.Join(dir, "both/6.1/kernel/a.ko"), string(module(t, "6.1", "").Data))
	write(t, filepath.Join(dir, "both/6.12/kernel/b.ko"), string(module(t, "6.12", "").Data))
	write(t, filepath.Join(dir, "other/6.12/modules.dep"), "")
	write(t, filepath.Join(dir, "flat/a.ko"), string(module(t, "6.1", "").Data))
	write(t, filepath.Join(dir, "none/file"), "")
	for from, want := range map[string]string{"both": "kernel/a.ko", "both/6.1": "kernel/a.ko", "flat": "a.ko", "none": "file", "other": ""} {
		modules, into := filepath.Join(dir, from), t.TempDir()
		_, err := Files(filepath.Join(dir, "vmlinux"), "", modules).stageInto(t.Context(), into)
		if want == "" {
			if status.Of(err) != status.Bad || err.Error() != modules+": has no modules, but "+modules+"/6.12 has" {
				t.Errorf("%s: %v", from, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(modulesOf(t, into), want); err != nil {
			t.Errorf("%s: %v", from, err)
		}
	}
	if _, err := add(t, Open(t.TempDir()), "k", fstest.MapFS{"vmlinux": vmlinux("6.1"), "modules/odd/kernel/a.ko": module(t, "6.1", "")}); status.Of(err) != status.Bad {
		t.Errorf("one level too deep: %v", err)
	}
}
