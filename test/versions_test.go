// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestVersions makes images with several versions of e2fsprogs. Filled
// directly, they must be the same bytes; filled by mkfs.ext4 they need not be.
// Every version's e2fsck (for a terabyte, the oldest and the newest) and
// banger-verify must accept them.
func TestVersions(t *testing.T) {
	all := everyE2fsprogs(t)
	u := newUser(t, nobody)
	registry := newFaultRegistry(t)
	bundle := func(name, ref string) string {
		output(t, u.command("sh", "-c", `banger-fetch "$1" | banger-flatten -o "$2"`, "sh", ref, name))
		return name
	}
	small := bundle("small.bundle", registry.push(t, "small:1", smallLayers(t, smallBase(t), smallMiddle(t))))
	rich := bundle("rich.bundle", registry.push(t, "rich:1", richImage(t)))
	for _, c := range []struct {
		populate, bundle string
		sizes            []string
	}{
		{"direct", small, []string{"8M"}},
		{"direct", rich, []string{"min", "1G", "9G", "1T"}},
		{"mkfs", small, []string{"8M", "1G", "9G", "1T"}},
	} {
		for _, size := range c.sizes {
			t.Run(c.populate+"/"+size, func(t *testing.T) {
				t.Parallel()
				images := u.versions(t, all, c.bundle, "--populate="+c.populate, "--size="+size)
				if c.populate == "direct" && len(images) != 1 {
					t.Errorf("%d different images: %q", len(images), slices.Sorted(maps.Values(images)))
				}
				checkers := all
				if size == "1T" { // takes e2fsck seconds
					checkers = []e2fsprogs{all[0], all[len(all)-1]}
				}
				for _, image := range images {
					for _, v := range checkers {
						output(t, exec.Command(filepath.Join(v.dir, "e2fsck"), "-fn", image))
					}
					u.agrees(t, "--against", c.bundle, image)
				}
			})
		}
	}
}

// versions makes an image of a bundle with every version, and returns those
// that differ, by digest.
func (u user) versions(t *testing.T, all []e2fsprogs, bundle string, flags ...string) map[string]string {
	t.Helper()
	images, dir := map[string]string{}, u.place(t)
	for _, v := range all {
		args := slices.Concat(flags, []string{"-o", filepath.Join(dir, v.suite+".ext4"), bundle})
		image := output(t, withEnv(u.command("banger-mkext4", args...), "PATH="+v.dir+":"+loginPath))
		var record struct{ Mkfs string }
		if fromJSON(t, read(t, image+".json"), &record); record.Mkfs != v.version {
			t.Errorf("%s: the record has mkfs.ext4 %s, want %s", image, record.Mkfs, v.version)
		}
		size, _, sum, err := hashSparse(image)
		if err != nil {
			t.Fatal(err)
		}
		images[fmt.Sprintf("%s of %d bytes", sum, size)] = image
	}
	return images
}
