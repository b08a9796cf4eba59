// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyMemory checks that ten times the content takes no more memory.
func TestVerifyMemory(t *testing.T) {
	need(t, "time")
	u := newUser(t, nobody)
	cost := func(megabytes int) float64 {
		c := u.measure(t, "banger-verify", u.large(t, megabytes)...)
		t.Logf("%d MB: %.0f MiB, %.1f s", megabytes, c[peak], c[wall])
		return c[peak]
	}
	small, large := cost(100), cost(1000)
	if large > small*5/4+8 || large > 150 {
		t.Errorf("%.0f MiB for 100 MB, %.0f MiB for 1 GB", small, large)
	}
}

// TestVerifyBomb checks that layers of too many entries are refused.
func TestVerifyBomb(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	img := rawImage(t, filepath.Join(u.home, "bomb"), rawArchive(impliedParents()))
	o := finish(t, u.command("banger-verify", "--against", img.String(), rootfs))
	o.failed(t, []int{65}, "banger-verify: ", rootfs, "too many entries", "limit 2000000)")
	if hints := hintsOf(o.stderr); len(hints) != 1 || !strings.Contains(hints[0], "--max-entries") {
		t.Errorf("hints %q", hints)
	}
	o = finish(t, u.command("banger-verify", "--max-entries", "1", rootfs))
	o.failed(t, []int{65}, "banger-verify: ", rootfs, "too many entries", "limit 1)")
}

// large makes an image with megabytes of content, half in one file, half in a
// layer of files of one each. It returns the arguments of banger-verify.
func (u user) large(t testing.TB, megabytes int) []string {
	t.Helper()
	need(t, "mkfs.ext4", "umoci")
	dir := filepath.Join(u.home, fmt.Sprintf("large-%d", megabytes))
	megabyte := bytes.Repeat(smallNoise(1, 4000), 250)
	lower, upper := dir+".lower", dir+".upper"
	writeTar(t, lower, func(w *tar.Writer) error {
		half := &tar.Header{Typeflag: tar.TypeReg, Name: "half", Mode: 0o644, Size: int64(megabytes / 2 * len(megabyte))}
		err := w.WriteHeader(half)
		for range megabytes / 2 {
			if err == nil {
				_, err = w.Write(megabyte)
			}
		}
		return err
	})
	writeTar(t, upper, func(w *tar.Writer) error {
		for n := range megabytes / 2 {
			if err := writeEntry(w, tar.TypeReg, fmt.Sprint(n), megabyte); err != nil {
				return err
			}
		}
		return nil
	})
	i := makeImage(t, dir, "x", lower, upper)
	output(t, exec.Command("chmod", "-R", "a+rX", dir))
	output(t, exec.Command("rm", lower, upper))
	const pipeline = `banger-flatten -o "$1.bundle" "$1:x" | banger-mkext4`
	return []string{"--against", i.String(), output(t, u.command("sh", "-c", pipeline, "sh", dir))}
}
