// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/status"
)

// entry is a tar entry.
type entry struct {
	kind          byte
	name, content string // or the target of a link
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Mode: 0o4777, Format: tar.FormatPAX}
		switch e.kind {
		case tar.TypeReg:
			h.Size = int64(len(e.content))
		case tar.TypeChar:
			h.Devmajor, h.Devminor = 1, 3
		default:
			h.Linkname = e.content
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.kind == tar.TypeReg {
			w.Write([]byte(e.content))
		}
	}
	w.Close()
	return b.Bytes()
}

func unpack(t testing.TB, archive []byte) (dir string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "files")
	return dir, Unpack(context.Background(), dir, bytes.NewReader(archive), func(string) {})
}

// found lists the modes, names, contents and targets below a directory.
func found(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := ""
		switch {
		case info.Mode().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what = string(raw)
		case info.Mode().Type() == fs.ModeSymlink:
			what, _ = os.Readlink(path)
		}
		fmt.Fprintf(&b, "%v %s %s\n", info.Mode(), path[len(dir)+1:], what)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var usual = []entry{
	{tar.TypeDir, "lib/", ""}, {tar.TypeReg, "lib/x", "content"}, {tar.TypeSymlink, "l", "lib/x"},
	{tar.TypeLink, "lib/y", "lib/x"}, {tar.TypeChar, "null", ""}, {tar.TypeReg, "./boot/deep/file", "more"},
}

const usualFound = `drwx------ boot 
drwx------ boot/deep 
-rw------- boot/deep/file more
Lrwxrwxrwx l lib/x
drwx------ lib 
-rw------- lib/x content
-rw------- lib/y content
-rw------- null 
`

// A tar in any compression and a package give the same tree, without devices and
// setuid bits.
func TestUnpack(t *testing.T) {
	plain := tarOf(t, usual...)
	for name, archive := range map[string][]byte{
		"plain": plain, "gzip": compress(t, plain, "gzip"), "xz": compress(t, plain, "xz"), "zstd": compress(t, plain, "zstd"),
		"package":             packageOf(part("debian-binary", []byte("2.0\n")), part("control.tar.xz", []byte("odd")), part("data.tar.zst", compress(t, plain, "zstd"))),
		"in ar, with a slash": packageOf(part("data.tar/", plain)),
	} {
		dir, err := unpack(t, archive)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := found(t, dir); got != usualFound {
			t.Errorf("%s:\n%s", name, got)
		}
		if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 1 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// Packages built by dpkg-deb.
func TestPackage(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "xz", "zstd"} {
		dir := t.TempDir()
		for name, content := range map[string]string{
			"DEBIAN/control": "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: me <me@here>\nDescription: x\n", "boot/vmlinuz-1": "kernel",
		} {
			path := filepath.Join(dir, "p", name)
			os.MkdirAll(filepath.Dir(path), 0o755)
			os.WriteFile(path, []byte(content), 0o644)
		}
		build := exec.Command("dpkg-deb", "-Z"+compression, "--root-owner-group", "-b", filepath.Join(dir, "p"), filepath.Join(dir, "p.deb"))
		if out, err := build.CombinedOutput(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: %v\n%s", build, err, out)
			}
			t.Skip(err)
		}
		deb, err := os.ReadFile(filepath.Join(dir, "p.deb"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(t, deb); err != nil || found(t, got) != "drwx------ boot \n-rw------- boot/vmlinuz-1 kernel\n" {
			t.Errorf("%s: %v", compression, err)
		}
	}
}

func packageOf(members ...[]byte) []byte { return append([]byte(arMagic), bytes.Join(members, nil)...) }

func part(name string, data []byte) []byte {
	b := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(data))
	b = append(b, data...)
	return append(b, "\n"[:len(data)&1]...)
}

func compress(t testing.TB, content []byte, program string) []byte {
	t.Helper()
	cmd := exec.Command(program, "-c")
	cmd.Stdin = bytes.NewReader(content)
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out
	case os.Getenv("CI") == "true":
		t.Fatalf("%s: %v", program, err)
	default:
		t.Skipf("%s: %v", program, err)
	}
	return nil
}

// No name leads out of the directory, whatever is in the archive.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	canary := filepath.Join(dir, "canary")
	if err := os.WriteFile(canary, []byte("alive"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, entries := range [][]entry{
		{{tar.TypeReg, "../canary", "dead"}}, {{tar.TypeReg, "../../canary", "dead"}}, {{tar.TypeReg, canary, "dead"}},
		{{tar.TypeSymlink, "out", dir}, {tar.TypeReg, "out/canary", "dead"}},
		{{tar.TypeSymlink, "out", "../.."}, {tar.TypeReg, "out/canary", "dead"}},
		{{tar.TypeSymlink, "out", canary}, {tar.TypeReg, "out", "dead"}},
		{{tar.TypeReg, "1", "x"}, {tar.TypeReg, "../in.contents/1", "dead"}},
	} {
		in := filepath.Join(dir, fmt.Sprint(i), "in")
		os.Mkdir(filepath.Dir(in), 0o755)
		if err := Unpack(context.Background(), in, bytes.NewReader(tarOf(t, entries...)), func(string) {}); err != nil {
			t.Errorf("%q: %v", entries, err)
		}
		if raw, err := os.ReadFile(canary); err != nil || string(raw) != "alive" {
			t.Fatalf("%q: the canary is %q, %v", entries, raw, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(in)); len(left) != 1 {
			t.Errorf("%q: left %v", entries, left)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 8 {
		t.Errorf("left %v", left)
	}
	if _, err := unpack(t, tarOf(t, entry{tar.TypeLink, "hard", canary})); status.Of(err) != status.Bad {
		t.Errorf("hard link to a file of the host: %v", err)
	}
}

// A truncated package is an error, and the stored contents are removed.
func TestCut(t *testing.T) {
	whole := packageOf(part("debian-binary", []byte("2.0\n")), part("data.tar", tarOf(t, usual...)))
	for at := 0; at < len(whole)-1024; at += 50 { // the last two blocks, of zeros, may be missing
		if dir, err := unpack(t, whole[:at]); status.Of(err) != status.Bad {
			t.Errorf("cut to %d of %d bytes: %v", at, len(whole), err)
		} else if _, err := os.Stat(dir + ".contents"); err == nil {
			t.Errorf("cut to %d: left its contents", at)
		}
	}
	for name, archive := range map[string][]byte{
		"no data": packageOf(part("debian-binary", []byte("2.0\n"))), "a damaged header": packageOf(bytes.Replace(part("x", nil), []byte("`"), []byte("'"), 1)),
		"a negative size": packageOf(bytes.Replace(part("data.tar", nil), []byte("0         `"), []byte("-1        `"), 1)), "text": []byte("no archive at all"),
	} {
		if _, err := unpack(t, archive); status.Of(err) != status.Bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}
