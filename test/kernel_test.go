// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Metapackages of Debian's kernels for virtual machines: the release's own,
// compressed by lz4, with its virtio and vsock drivers in modules; and a newer
// one, compressed by zstd, its modules by xz.
const (
	kernel61  = "linux-image-cloud-amd64"
	kernel612 = "linux-image-6.12-cloud-amd64"
)

// kernelPackage returns the path of the kernel package that a metapackage
// depends on, downloaded once and kept in the user's cache directory.
func kernelPackage(t testing.TB, metapackage string) string {
	t.Helper()
	need(t, "apt-cache")
	return cachedPackage(t, dependency(t, metapackage), "kernels")
}

// cachedPackage returns the path of a package, downloaded once into a directory
// below the user's cache directory.
func cachedPackage(t testing.TB, name, in string) string {
	t.Helper()
	need(t, "apt-get")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "banger-test", in)
	pattern := filepath.Join(dir, name+"_*.deb")
	if found, _ := filepath.Glob(pattern); len(found) == 0 {
		download(t, name, dir)
	}
	return only(t, pattern)
}

// dependency returns the name of that package, which changes with each ABI.
func dependency(t testing.TB, metapackage string) string {
	t.Helper()
	depends, _ := exec.Command("apt-cache", "depends", metapackage).CombinedOutput()
	for _, word := range strings.Fields(string(depends)) {
		if strings.HasPrefix(word, "linux-image-") && word != metapackage {
			return word
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no package %s:\n%s", metapackage, depends)
	}
	t.Skipf("no package %s", metapackage)
	return ""
}

// download puts a package into dir, whole or not at all.
func download(t testing.TB, name, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(dir, ".download-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	cmd := exec.Command("apt-get", "download", name)
	cmd.Dir = temp
	output(t, cmd)
	deb := only(t, filepath.Join(temp, "*.deb"))
	if err := os.Rename(deb, filepath.Join(dir, filepath.Base(deb))); err != nil {
		t.Fatal(err)
	}
}

// only returns the one path that a pattern matches.
func only(t testing.TB, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: matches %q, want one; %v", pattern, found, err)
	}
	return found[0]
}

// copyHome copies a file to the user's home.
func (u user) copyHome(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(u.home, filepath.Base(path))
	if err := os.WriteFile(to, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// addKernel adds Debian's kernel under a name and returns its directory.
func (u user) addKernel(t testing.TB, name, metapackage string) string {
	t.Helper()
	deb := u.copyHome(t, kernelPackage(t, metapackage))
	return output(t, u.command("banger", "kernel", "add", name, deb))
}
