// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLimits makes as many hard links and subdirectories as ext4 allows, and
// more directories than their link count can hold.
func TestLimits(t *testing.T) {
	needRoot(t)
	if !testedFiller.keepsAll {
		t.Skip("mkfs.ext4 -d takes minutes")
	}
	const links, dirs = 65000, 65500
	source := memory(t)
	dir := filepath.Join(source, "dirs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range dirs {
		if err := os.Mkdir(filepath.Join(dir, strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one := filepath.Join(source, "links")
	link(t, one, links)
	root := mount(t, imageOf(t, source))
	sameTree(t, readTree(t, filepath.Join(root, "dirs")), readTree(t, dir))
	sameTree(t, readTree(t, filepath.Join(root, "links")), readTree(t, one))
	for name, want := range map[string]uint64{"dirs": 1, "links/0": links} { // 1: too many to count
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(root, name), &st); err != nil || st.Nlink != want {
			t.Errorf("%s: %d links, want %d, %v", name, st.Nlink, want, err)
		}
	}
}

// TestTooManyLinks checks that one hard link too many is refused, by name.
func TestTooManyLinks(t *testing.T) {
	needRoot(t)
	if !testedFiller.keepsAll {
		t.Skip("mkfs.ext4 -d takes minutes")
	}
	source := memory(t)
	link(t, filepath.Join(source, "links"), 65001)
	u := newUser(t, 0)
	cmd := u.mkext4(source, "-o", "x.ext4")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 65 || !strings.Contains(string(out), "./links/") {
		t.Errorf("%v: %s", err, out)
	}
	if names := list(t, u.home); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

// link creates a directory of hard links of one file.
func link(t testing.TB, dir string, names int) {
	t.Helper()
	first := filepath.Join(dir, "0")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first, []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < names; i++ {
		if err := os.Link(first, filepath.Join(dir, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
}
