// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFlattenDirectory: -C makes the directory, as the umask says. What fails
// makes no more than that.
func TestFlattenDirectory(t *testing.T) {
	u := newUser(t, nobody)
	img := rawImage(t, filepath.Join(u.home, "lay"))
	cmd := u.command("sh", "-c", "umask 027; banger-flatten -C new/work "+img.String())
	if got := output(t, cmd); got != "new/work/lay-1.bundle" {
		t.Errorf("printed %q", got)
	}
	for _, dir := range []string{"new", "new/work"} {
		if info, err := os.Stat(filepath.Join(u.home, dir)); err != nil || info.Mode().Perm() != 0o750 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
	o := finish(t, u.command("banger-flatten", "-C", "other", "lay:2"))
	o.failed(t, []int{66}, "banger-flatten: ")
	if _, err := os.Stat(filepath.Join(u.home, "other")); err == nil {
		t.Error("made a directory for an image that does not exist")
	}
	finish(t, u.command("banger-flatten", "-C", "/proc/work", img.String())).failed(t, []int{73}, "banger-flatten: ", "/proc/work")
	finish(t, u.command("banger-flatten", "-o", "none/x.bundle", img.String())).failed(t, []int{66, 73}, "banger-flatten: ", "none")
}

// TestCacheDirectory: a cache that cannot be made is an error of the output,
// whose hint is the variable to set.
func TestCacheDirectory(t *testing.T) {
	u := newUser(t, nobody)
	for _, home := range []string{"/proc", "/dev/null"} {
		o := finish(t, withEnv(u.command("banger-fetch", "127.0.0.1:9/small:1"), "XDG_CACHE_HOME="+home))
		o.failed(t, []int{73}, "banger-fetch: ", home)
		if !strings.HasSuffix(o.stderr, "\nhint: set XDG_CACHE_HOME to a directory that can be written\n") {
			t.Errorf("%s: no hint: %q", home, o.stderr)
		}
	}
}
