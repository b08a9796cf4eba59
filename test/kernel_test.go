// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A guestKernel is Debian's for virtual machines, out of its package.
type guestKernel struct {
	image   string // the kernel itself
	modules string // their directory, named as the kernel's release
}

// debianKernel is the kernel that linux-image-cloud-amd64 stands for. Its
// package is downloaded, not installed, and kept unpacked in the user's cache
// directory.
func debianKernel(t testing.TB) guestKernel {
	t.Helper()
	need(t, "apt-cache", "apt-get", "dpkg-deb")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := kernelPackage(t)
	dir := filepath.Join(cache, "banger-test", name)
	if _, err := os.Stat(dir); err != nil {
		unpackPackage(t, name, dir)
	}
	return guestKernel{only(t, dir, "boot/vmlinuz-*"), only(t, dir, "lib/modules/*", "usr/lib/modules/*")}
}

// kernelPackage is the package with the kernel in it, which changes with each
// ABI.
func kernelPackage(t testing.TB) string {
	t.Helper()
	depends := output(t, exec.Command("apt-cache", "depends", "linux-image-cloud-amd64"))
	for _, word := range strings.Fields(depends)[1:] {
		if strings.HasPrefix(word, "linux-image-") {
			return word
		}
	}
	t.Fatalf("linux-image-cloud-amd64 depends on no kernel:\n%s", depends)
	return ""
}

// unpackPackage leaves a Debian package's files in dir: all of them or nothing.
func unpackPackage(t testing.TB, name, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".package-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	download := exec.Command("apt-get", "download", name)
	download.Dir = temp
	output(t, download)
	files := filepath.Join(temp, "files")
	output(t, exec.Command("dpkg-deb", "-x", only(t, temp, "*.deb"), files))
	if err := os.Rename(files, dir); err != nil {
		t.Fatal(err)
	}
}

// only is the one path below dir that one of the patterns finds.
func only(t testing.TB, dir string, patterns ...string) string {
	t.Helper()
	var found []string
	for _, p := range patterns {
		paths, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	if len(found) != 1 {
		t.Fatalf("%s: %q, not one of %q", dir, found, patterns)
	}
	return found[0]
}

// load is what the named modules and those they need contain, in the order to
// load them. One that is built into the kernel needs no file.
func (k guestKernel) load(t testing.TB, names ...string) (modules [][]byte) {
	t.Helper()
	files, loaded := k.files(t), map[string]bool{}
	var add func(names []string)
	add = func(names []string) {
		for _, name := range names {
			path := files[name]
			if path == "" {
				t.Fatalf("%s: no module %s", k.modules, name)
			}
			if loaded[name] || path == builtin {
				continue
			}
			loaded[name] = true
			module := readModule(t, path)
			add(dependencies(t, module))
			modules = append(modules, module)
		}
	}
	add(names)
	return modules
}

// builtin stands for the file of a module that has none.
const builtin = "built in"

// files says where each module is, by its name as the kernel knows it.
func (k guestKernel) files(t testing.TB) map[string]string {
	t.Helper()
	files := map[string]string{}
	name := func(path string) string {
		base, _, _ := strings.Cut(filepath.Base(path), ".ko")
		return strings.ReplaceAll(base, "-", "_")
	}
	list, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(list)) {
		files[name(path)] = builtin
	}
	err = filepath.WalkDir(filepath.Join(k.modules, "kernel"), func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), ".ko") {
			files[name(path)] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readModule returns a module as insmod wants it, not compressed.
func readModule(t testing.TB, path string) []byte {
	t.Helper()
	read := exec.Command("cat", path)
	if filepath.Ext(path) == ".xz" {
		need(t, "xz")
		read = exec.Command("xz", "-dc", path)
	}
	module, err := read.Output()
	if err != nil {
		t.Fatalf("%v: %v", read.Args, err)
	}
	return module
}

// dependencies are the modules that a module says it depends on.
func dependencies(t testing.TB, module []byte) (names []string) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Section(".modinfo").Data()
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			names = append(names, strings.Split(list, ",")...)
		}
	}
	return names
}
