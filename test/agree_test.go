// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAgreement unpacks random stacks of layers with banger and with two
// independent implementations: umoci, as root, and the kernel's overlayfs. The
// mounted ext4 image is compared.
func TestAgreement(t *testing.T) {
	needRoot(t)
	need(t, "umoci", "mkfs.ext4", "mount", "umount")
	cases := map[string]bool{}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newStack(seed)
			maps.Copy(cases, s.cases)
			img := s.image(t, func(l *layerPlan) []entry { return l.entries })
			u := newUser(t, []uint32{0, nobody}[seed%2])
			bundle := output(t, u.command("banger-flatten", img.String()))
			got := readTree(t, mount(t, filepath.Join(u.home, output(t, u.mkext4(bundle, "--size", "64M")))))
			t.Run("mkfs", func(t *testing.T) { byMkfs.agrees(t, u, bundle, got) })
			delete(got, "lost+found")
			t.Run("umoci", func(t *testing.T) { sameTree(t, got, readTree(t, s.image(t, (*layerPlan).whiteoutsFirst).unpack(t))) })
			t.Run("overlayfs", func(t *testing.T) {
				want := readTree(t, s.mount(t))
				s.dropSplitLinks(got, want)
				sameTree(t, got, want)
			})
		})
	}
	for _, c := range allCases() {
		if !cases[c] {
			t.Errorf("no stack covers %q", c)
		}
	}
}

// agrees fails the test unless the filler's image of a bundle holds the tree
// wanted. It skips the test if the filler cannot keep all of it and says that
// the other filler does.
func (f filler) agrees(t *testing.T, u user, bundle string, want map[string]facts) {
	t.Helper()
	o := finish(t, u.command("banger-mkext4", slices.Concat(f.flags, []string{"--size", "64M", "-o", "other.ext4", bundle})...))
	if o.code == 65 && strings.Contains(o.stderr, "\nhint: --populate direct keeps it\n") {
		t.Skip(o.stderr)
	}
	if o != (outcome{stdout: "other.ext4\n"}) {
		t.Fatalf("%+v", o)
	}
	sameTree(t, readTree(t, mount(t, filepath.Join(u.home, "other.ext4"))), want)
}

// image writes the stack as a layout; ordered returns a layer's entries in
// order.
func (s *stack) image(t *testing.T, ordered func(*layerPlan) []entry) image {
	t.Helper()
	dir := newUser(t, 0).home
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var layers []rawLayer
	for n, l := range s.layers {
		layers = append(layers, rawArchive([]byte(read(t, writeLayer(t, dir, n, ordered(l))))))
	}
	return rawImage(t, filepath.Join(dir, "layout"), layers...)
}

// Known differences from umoci and overlayfs. Everything else must agree.
//
//   - A path through a symlink of a layer below: overlayfs would replace the
//     symlink by a directory. Its layers get the resolved path (stack.spell
//     writes the symlink, change.path is resolved).
//   - A parent directory that a layer does not list: overlayfs takes the metadata
//     of the layer's directory, so that is a copy of the one below. A parent that
//     no layer lists is not generated: umoci sets its mtime to the current time.
//   - A whiteout after entries of its layer: umoci removes files of the layers
//     below after it has set the directory's mtime, and for an opaque directory
//     sometimes files of the same layer. Its layers get the whiteouts first, as
//     the spec asks of writers.
//   - An opaque root: overlayfs reads the xattr only below the root. Its layers
//     get whiteouts of every file in the root.
//   - A hard link to a layer below: an overlayfs layer cannot link to another, so
//     it gets a copy. dropSplitLinks ignores the hard links of these files only.
//   - A 0/0 character device is an overlayfs whiteout. It is not generated.

// dropSplitLinks removes, from both trees, the hard link facts of files that
// have links from several layers.
func (s *stack) dropSplitLinks(got, want map[string]facts) {
	s.root.walk(".", func(path string, n *node) {
		if n.split && got[path] != nil && want[path] != nil {
			got[path]["names"], want[path]["names"] = "", ""
		}
	})
}

// mount mounts the stack with overlayfs, read-only.
func (s *stack) mount(t *testing.T) string {
	t.Helper()
	dir, lower := scratch(t), ""
	for n, l := range s.layers {
		layer := filepath.Join(dir, fmt.Sprint(n))
		lower = layer + ":" + lower
		l.writeOverlay(t, layer)
	}
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	options := "ro,lowerdir=" + lower[:len(lower)-1]
	output(t, exec.Command(which("mount"), "-t", "overlay", "overlay", "-o", options, root))
	t.Cleanup(func() { output(t, exec.Command(which("umount"), root)) })
	return root
}
