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

// The suite's image: a Debian root filesystem as its lowest layer, and on top
// layers that change one another in every way on which umoci, run by root, and
// doc/layers.md agree.
var (
	debianOnce  sync.Once
	debianImage image
)

// debian returns the suite's image. It is made on first use and shared by the
// process, so no test may change it.
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
		t.Fatal("no Debian image: see the first test that needed it")
	}
	return debianImage
}

// bootstrap returns the image's lowest layer, an archive of a minimal Debian
// with sudo (setuid), ping (security.capability) and modprobe.
func bootstrap(t testing.TB) string { return bootstrapWith(t, "sudo,iputils-ping,kmod") }

// bootstrapWith returns an archive of a minimal Debian with packages added. If
// mmdebstrap fails, for want of a network or of subordinate user ids, it skips
// the test, or fails it if CI=true.
func bootstrapWith(t testing.TB, packages string) string {
	t.Helper()
	need(t, "mmdebstrap")
	path, err := mmdebstrap(suite(), sources(), "--quiet", "--variant=minbase", "--include="+packages)
	skipOnError(t, err)
	return path
}

// skipOnError skips the test if err is not nil, or fails it if CI=true.
func skipOnError(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// bootstrapping has a mutex for each archive that mmdebstrap makes.
var bootstrapping sync.Map

// mmdebstrap makes an archive of a Debian release once per recipe, and keeps
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
	mu, _ := bootstrapping.LoadOrStore(path, &sync.Mutex{})
	mu.(*sync.Mutex).Lock()
	defer mu.(*sync.Mutex).Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(temp)
	args := slices.Concat(recipe, []string{temp}, sources)
	if out, err := exec.Command("mmdebstrap", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	return path, os.Rename(temp, path)
}

// suite returns the host's release if it is a Debian, to fit its sources.
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

// sources returns the host's apt sources if it is a Debian. Without any,
// mmdebstrap uses its default.
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
