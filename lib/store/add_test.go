// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"banger/lib/status"
)

// The sums in the record are those of sha256sum.
func TestSums(t *testing.T) {
	s := Open(t.TempDir())
	k, err := add(t, s, "k", modular(t, "6.1.0-x"))
	if err != nil {
		t.Fatal(err)
	}
	for part, digest := range k.SHA256 {
		cmd := exec.Command("sh", "-c", "sha256sum <"+part)
		cmd.Dir = k.Dir
		if out, err := cmd.Output(); err != nil || string(out) != digest+"  -\n" {
			t.Errorf("%s: %s, sha256sum %s, %v", part, digest, out, err)
		}
	}
	if len(k.SHA256) != 5 {
		t.Errorf("%v", k.SHA256)
	}
}

// A kernel of another release than the one requested is refused.
func TestAddKernelOfRelease(t *testing.T) {
	s := Open(t.TempDir())
	a := Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux("6.1.0-56-cloud")}, Replace: true, Now: now}
	for want, code := range map[string]status.Code{
		"": status.OK, "6": status.OK, "6.1": status.OK, "6.1.0-56": status.OK, "6.1.0-56-cloud": status.OK,
		"6.1.0-5": status.Bad, "6.1.0-56-cloud-amd64": status.Bad, "6.12": status.Bad, "1.0": status.Bad,
	} {
		a.Release = want
		if _, err := s.AddKernel(context.Background(), a); status.Of(err) != code {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Only a kernel is replaced, and only by a complete one.
func TestAddKernelOver(t *testing.T) {
	s := Open(t.TempDir())
	a := Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(built)}}, Now: now}
	if _, err := s.AddKernel(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	a.Replace = true
	cut := bzImage(t, vmlinux("6.2").Data, "6.2")
	cut.Data = cut.Data[:len(cut.Data)-10]
	other := bzImage(t, vmlinux("6.2").Data, "6.2")
	other.Data[len(other.Data)-1]++ // how long it is, once uncompressed
	for name, files := range map[string]fstest.MapFS{
		"none": {}, "one that is cut": {"vmlinuz": cut}, "one of another length": {"vmlinuz": other},
		"others' modules": {"vmlinux": vmlinux("6.2"), "modules/a.ko": module(t, "6.3", "")},
		"a bad module":    {"vmlinux": vmlinux("6.2"), "modules/a.ko": {Data: []byte("none")}},
	} {
		a.Files = files
		if _, err := s.AddKernel(context.Background(), a); status.Of(err) != status.Bad {
			t.Errorf("%s: status %d, %v", name, status.Of(err), err)
		}
	}
	if k, err := s.Kernel("k"); err != nil || k.Release != "6.1" || names(t, s.kernels()) != "k" {
		t.Errorf("%+v, %v, among the kernels: %s", k, err, names(t, s.kernels()))
	}
	a.Files = fstest.MapFS{"vmlinux": vmlinux("6.2")}
	if k, err := s.AddKernel(context.Background(), a); err != nil || k.Release != "6.2" || names(t, k.Dir) != "kernel.json vmlinux" {
		t.Errorf("%+v, %v", k, err)
	}
	write(t, filepath.Join(s.kernels(), "theirs/thesis.txt"), "x")
	a.Name = "theirs"
	if _, err := s.AddKernel(context.Background(), a); status.Of(err) != status.Create || names(t, filepath.Join(s.kernels(), "theirs")) != "thesis.txt" {
		t.Errorf("in place of what is no kernel: %v", err)
	}
}

// No symlink is followed out of the source.
func TestAddKernelStaysInside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), "CONFIG_SECRET=y")
	s := Open(t.TempDir())
	for name, link := range map[string]string{"as config": "config", "as initrd": "initrd.img", "as a module's file": "modules/modules.x"} {
		source := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		write(t, filepath.Join(source, "vmlinux"), string(vmlinux("6.1").Data))
		write(t, filepath.Join(source, "modules/modules.builtin"), "")
		if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(source, link)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(source)
		if err != nil {
			t.Fatal(err)
		}
		k, err := add(t, s, "k", root.FS())
		if err := errors.Join(root.Close(), noSecret(k, err)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if k != nil {
			if err := s.RemoveKernel("k"); err != nil {
				t.Fatal(err)
			}
		}
		if got := names(t, s.kernels()); got != "" {
			t.Errorf("%s: left %s", name, got)
		}
	}
}

// A dangling or escaping symlink in a source is an error of the source.
func TestAddKernelBadLink(t *testing.T) {
	s := Open(t.TempDir())
	for _, to := range []string{"nowhere", "/nowhere", "/etc/passwd", "../../../etc/passwd", "a.ko/x", "link"} {
		source := t.TempDir()
		write(t, filepath.Join(source, "vmlinux"), string(vmlinux("6.1").Data))
		write(t, filepath.Join(source, "modules/a.ko"), string(module(t, "6.1", "").Data))
		if err := os.Symlink(to, filepath.Join(source, "modules/link")); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(source)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if _, err := add(t, s, "k", root.FS()); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "modules/link") {
			t.Errorf("to %s: status %d, %v", to, status.Of(err), err)
		}
		if got := names(t, s.kernels()); got != "" {
			t.Errorf("to %s: left %s", to, got)
		}
	}
}

// Hard links count in full against the size limit.
func TestAddKernelMultiplied(t *testing.T) {
	source := t.TempDir()
	write(t, filepath.Join(source, "vmlinux"), string(vmlinux("6.1").Data))
	write(t, filepath.Join(source, "modules/0"), "")
	if err := os.Truncate(filepath.Join(source, "modules/0"), 1<<30); err != nil { // a hole
		t.Fatal(err)
	}
	for i := range 16 {
		if err := os.Symlink("0", filepath.Join(source, "modules", fmt.Sprint("link", i))); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := Open(t.TempDir())
	if _, err := add(t, s, "k", root.FS()); status.Of(err) != status.Bad || names(t, s.kernels()) != "" {
		t.Errorf("%v, left %s", err, names(t, s.kernels()))
	}
}

// noSecret searches all parts of a kernel, if it was added.
func noSecret(k *Kernel, err error) error {
	if err != nil {
		return nil
	}
	return filepath.WalkDir(k.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(raw), "SECRET") {
			err = errors.New(path + " is the host's")
		}
		return err
	})
}

// The distribution is taken from the release and the version, not from the
// compiler.
func TestDistro(t *testing.T) {
	for banner, want := range map[string]string{
		"6.1.0-56-cloud-amd64 (d@debian.org) (gcc (Debian 12.2)) #1 SMP Debian 6.1.192-2 (2026)": "debian",
		"6.8.0-1-generic (b@x) (gcc (Ubuntu 13)) #1-Ubuntu SMP":                                  "ubuntu",
		"6.11.4-301.fc41.x86_64 (m@x) (gcc (GCC) 14) #1 SMP":                                     "fedora",
		"5.14.0-503.el9.x86_64 (m@x) (gcc (GCC) 11) #1 SMP":                                      "rhel",
		"6.1.109-118.189.amzn2023.x86_64 (m@x) (gcc) #1 SMP":                                     "amazon",
		"6.10.1-arch1-1 (l@archlinux) (gcc) #1 SMP":                                              "arch",
		"6.12.1 (me@here) (gcc (Debian 12.2.0) 12.2.0) #1 SMP":                                   "",
	} {
		release, _, _ := strings.Cut(banner, " ")
		if got := distroOf(release, "Linux version "+banner); got != want {
			t.Errorf("%s: %q", banner, got)
		}
	}
}
