// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// BenchmarkPipeline runs banger-flatten and banger-mkext4 on the suite's image
// next to umoci unpack and to plain mkfs.ext4 -d of umoci's tree. Whole
// processes take turns, so a machine whose speed drifts favours none. It
// prints a table and enforces no limit.
func BenchmarkPipeline(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	i, u := debian(b), newUser(b, uint32(os.Getuid()))
	u.round(b, i) // Unmeasured: it fills the page cache.
	flatten := contest{{name: "banger-flatten"}, {name: "umoci unpack"}}
	mkext4 := contest{{name: "banger-mkext4"}, {name: "mkfs.ext4 -d"}}
	for b.Loop() {
		costs := u.round(b, i)
		for n, e := range slices.Concat(flatten, mkext4) {
			e.costs = append(e.costs, costs[n])
		}
	}
	report(b, flatten, mkext4)
}

// round runs each program once, in a directory of its own. The trees are kept
// until the end: ext4 without a journal avoids inodes freed in the last half
// minute and scans all of them, so creating files after a large removal takes
// ten times as long.
func (u user) round(b *testing.B, i image) (costs [4]cost) {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "round-")
	if err != nil {
		b.Fatal(err)
	}
	bundle, umoci := filepath.Join(dir, "x.bundle"), filepath.Join(dir, "umoci")
	made, plain := filepath.Join(bundle, "rootfs.ext4"), filepath.Join(dir, "plain.ext4")
	defer os.Remove(made)
	defer os.Remove(plain)

	costs[0] = u.measure(b, "banger-flatten", "-o", bundle, i.String())
	costs[1] = u.unpack(b, i, umoci)
	costs[2] = u.measure(b, "banger-mkext4", bundle)
	output(b, u.command("truncate", "--reference", made, plain))
	costs[3] = u.measure(b, which("mkfs.ext4"), "-q", "-d", filepath.Join(umoci, "rootfs"), plain)
	return costs
}

// unpack unpacks the image with umoci into dir/rootfs, as the user can.
func (u user) unpack(b *testing.B, i image, dir string) cost {
	b.Helper()
	if os.Getuid() == 0 {
		return u.measure(b, "umoci", "unpack", "--image", i.String(), dir)
	}
	c := u.measure(b, "umoci", "unpack", "--rootless", "--image", i.String(), dir)
	// Otherwise mkfs.ext4 could not read the tree, nor RemoveAll remove it.
	output(b, u.command("chmod", "-R", "u+rwX", dir))
	return c
}
