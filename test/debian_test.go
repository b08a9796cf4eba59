// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The suite's image: a Debian root filesystem as its lowest layer, and above it
// everything a layer can do to those below, as far as umoci, run as root, agrees
// with doc/layers.md.
var (
	debianOnce  sync.Once
	debianImage image
)

// debian is the suite's image, made on first use and shared by the process:
// nobody may change it.
func debian(t testing.TB) image {
	t.Helper()
	need(t, "umoci")
	base := bootstrap(t)
	debianOnce.Do(func() {
		dir := filepath.Join(filepath.Dir(bin), "debian")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		layers := []string{base}
		for n, entries := range [][]entry{added(), changed(), changedAgain()} {
			layers = append(layers, writeLayer(t, dir, n+1, entries))
		}
		debianImage = makeImage(t, filepath.Join(dir, "layout"), "bookworm", layers...)
	})
	if debianImage.dir == "" {
		t.Fatal("no Debian image: the first test that wanted it says why")
	}
	return debianImage
}

// bootstrap is the image's lowest layer, an archive of a minimal Debian with
// sudo (setuid) and ping (security.capability).
func bootstrap(t testing.TB) string { return bootstrapWith(t, "sudo,iputils-ping") }

// bootstrapWith is an archive of a minimal Debian with some packages more.
// Where mmdebstrap cannot work, for want of a network or of subordinate user
// ids, the test is skipped, or fails if nothing may be.
func bootstrapWith(t testing.TB, packages string) string {
	t.Helper()
	need(t, "mmdebstrap")
	path, err := mmdebstrap(suite(), sources(), "--quiet", "--variant=minbase", "--include="+packages)
	obtained(t, err)
	return path
}

// obtained skips the test if what it needs could not be got, and fails it where
// nothing may be skipped.
func obtained(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// mmdebstrap makes an archive of a release of Debian once per recipe, and keeps
// it in the user's cache directory.
func mmdebstrap(suite string, sources []string, options ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "banger-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	recipe := append(options, "--format=tar", suite)
	sum := sha256.Sum256([]byte(strings.Join(slices.Concat(recipe, []string{runtime.GOARCH}), " ")))
	path := filepath.Join(dir, fmt.Sprintf("debian-%s-%x.tar", suite, sum[:6]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(temp)
	args := slices.Concat(recipe, []string{temp}, sources)
	if said, err := exec.Command("mmdebstrap", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, said)
	}
	return path, os.Rename(temp, path)
}

// suite is the host's own release when that is a Debian, so that its sources
// and its keyring fit.
func suite() string {
	release := osRelease()
	if release["ID"] == "debian" && release["VERSION_CODENAME"] != "" {
		return release["VERSION_CODENAME"]
	}
	return "bookworm"
}

// osRelease reads os-release(5).
func osRelease() map[string]string {
	text, _ := os.ReadFile("/etc/os-release")
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	return values
}

// sources are where the host itself gets Debian from, its mirror for one; with
// none, mmdebstrap has a default.
func sources() (files []string) {
	if osRelease()["ID"] != "debian" {
		return nil
	}
	for _, path := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"} {
		if fi, err := os.Stat(path); err == nil && fi.Size() > 0 {
			files = append(files, path)
		}
	}
	return files
}
