// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/bundle"
	"banger/lib/kernel"
	"banger/lib/status"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// vmlinux returns the minimum that is recognized as a kernel.
func vmlinux() string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x3e\x00\x01" + strings.Repeat("\x00", 43) +
		"Linux version 6.1.0-test (x) #1\n\x00"
}

// Every source of a kernel is opened as a directory with a source name.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "files/boot/x"), "")
	write(t, filepath.Join(dir, "p.tar"), string(tarOf(t, entry{tar.TypeReg, "boot/x", "x"})))
	write(t, filepath.Join(dir, "odd name"), vmlinux())
	write(t, filepath.Join(dir, "made.bundle", bundle.ManifestFile), "")
	write(t, filepath.Join(dir, "made.bundle", bundle.RecordFile), `{"version":1,"reference":"docker.io/library/x:1"}`)
	write(t, filepath.Join(dir, "made.bundle", bundle.TreeDir, "boot/x"), "")
	write(t, filepath.Join(dir, "like", bundle.TreeDir, "boot/x"), "")
	if err := os.Symlink("p.tar", filepath.Join(dir, "link.tar")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ has, source string }{
		"files": {"boot/x", "files"}, "p.tar": {"boot/x", "p.tar"}, "link.tar": {"boot/x", "link.tar"},
		"odd name":    {string(kernel.ELF), "odd name"},
		"made.bundle": {"boot/x", "docker.io/library/x:1"},
		"like":        {bundle.TreeDir + "/boot/x", "like"}, // no bundle
	} {
		f, err := Open(context.Background(), filepath.Join(t.TempDir(), "files"), filepath.Join(dir, name), func(string) {})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info, err := fs.Stat(f.FS, c.has); err != nil || !info.Mode().IsRegular() || f.Source != c.source {
			t.Errorf("%s: %v, source %q", name, err, f.Source)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Files outside of the directory cannot be opened.
func TestOpenInside(t *testing.T) {
	dir, outside := filepath.Join(t.TempDir(), "in"), t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	write(t, filepath.Join(dir, "here"), "")
	for name, target := range map[string]string{"absolute": outside, "relative": "../..", "inside": "."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(context.Background(), "", dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, is := range map[string]bool{"inside/here": true, "absolute/secret": false, "absolute": false, "relative": false, "../in/here": false} {
		if _, err := fs.Stat(f.FS, name); (err == nil) != is {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Errors name the path and have the right status.
func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	cut := make([]byte, 1024) // a bzImage without its kernel
	copy(cut[0x202:], "HdrS\x0f\x02")
	cut[0x236], cut[0x24d] = 1, 1
	write(t, filepath.Join(dir, "cut"), string(cut))
	write(t, filepath.Join(dir, "text"), "no archive")
	write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, "bad", bundle.ManifestFile), "")
	write(t, filepath.Join(dir, "bad", bundle.RecordFile), "no record")
	write(t, filepath.Join(dir, "x.tar"), string(tarOf(t, entry{tar.TypeReg, "x", "x"})))
	write(t, filepath.Join(dir, "taken/x"), "")
	for _, c := range []struct {
		name, scratch string
		code          status.Code
		words         string
	}{
		{"none", "s", status.NoInput, "no such file"}, {"cut", "s", status.Bad, "truncated kernel: has 1024 bytes"},
		{"text", "s", status.Bad, ""}, {"empty", "s", status.Bad, ""}, {"bad", "s", status.Bad, "image.json"},
		{"x.tar", "taken", status.Create, "exists"},
	} {
		path := filepath.Join(dir, c.name)
		f, err := Open(context.Background(), filepath.Join(dir, c.scratch), path, func(string) {})
		if f != nil || status.Of(err) != c.code || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s at %s: status %d, %v; want %d, %s", c.name, c.scratch, status.Of(err), err, c.code, c.words)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, filepath.Join(dir, "s"), filepath.Join(dir, "x.tar"), func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "s.contents")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left its contents: %v", err)
	}
}
