// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// BenchmarkPipeline runs flatten and mkext4 on the suite's image beside what
// they are measured against: umoci unpack, and plain mkfs.ext4 -d of the tree
// that umoci made. They are whole processes and take turns, so that a machine
// whose speed drifts wrongs nobody. It prints a table; nothing is too slow.
func BenchmarkPipeline(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	i, u := debian(b), newUser(b, uint32(os.Getuid()))
	u.round(b, i) // Not counted: it reads from disk what the others find in memory.
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

// round runs each program once, in a directory of its own. The trees stay until
// all is done: ext4 without a journal shuns inodes freed within the last half
// minute and looks at every one of them, so that whoever makes files after a
// large removal takes ten times as long.
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

// unpack lets umoci lay the image out in dir/rootfs, as the user can.
func (u user) unpack(b *testing.B, i image, dir string) cost {
	b.Helper()
	if os.Getuid() == 0 {
		return u.measure(b, "umoci", "unpack", "--image", i.String(), dir)
	}
	c := u.measure(b, "umoci", "unpack", "--rootless", "--image", i.String(), dir)
	// What mkfs.ext4 cannot read, and nobody remove.
	output(b, u.command("chmod", "-R", "u+rwX", dir))
	return c
}
