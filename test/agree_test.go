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

// TestAgreement: of stacks of layers that a seed decides, banger makes what two
// others make that know nothing of it: umoci, as root, and the kernel, of the
// same layers under one another. What is compared is banger's ext4, mounted.
func TestAgreement(t *testing.T) {
	needRoot(t)
	need(t, "umoci", "mkfs.ext4", "mount", "umount")
	cases := map[string]bool{}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := pile(seed)
			maps.Copy(cases, s.cases)
			img := s.image(t, func(l *layerPlan) []entry { return l.entries })
			u := newUser(t, []uint32{0, nobody}[seed%2])
			bundle := output(t, u.command("banger-flatten", img.String()))
			got := readTree(t, mount(t, filepath.Join(u.home, output(t, u.mkext4(bundle, "--size", "64M")))))
			t.Run("mkfs", func(t *testing.T) { byMkfs.agrees(t, u, bundle, got) })
			delete(got, "lost+found")
			t.Run("umoci", func(t *testing.T) { sameTree(t, got, readTree(t, s.image(t, (*layerPlan).inOrder).unpack(t))) })
			t.Run("overlayfs", func(t *testing.T) {
				want := readTree(t, s.mount(t))
				s.exceptOverlay(got, want)
				sameTree(t, got, want)
			})
		})
	}
	for _, c := range allCases() {
		if !cases[c] {
			t.Errorf("no stack had a %s", c)
		}
	}
}

// agrees fails the test unless the filler's image of a bundle has the facts of
// another's, or cannot keep them all and says that the other does.
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

// image is the stack as a layout, the entries of its layers as they are ordered.
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

// Where a judge and banger cannot agree. What is not here they must agree on.
//
//   - A name through a symlink of a layer below: overlayfs would put a directory
//     in the symlink's place. Its layers get the name resolved (stack.spell
//     writes it, change.path is where it leads).
//   - A parent that a layer does not name: overlayfs takes the metadata of the
//     directory in the layer, which must therefore be a copy of that below. That
//     no layer at all names a parent is not generated: umoci takes the clock for
//     its time.
//   - A whiteout behind entries of its layer: umoci removes what a directory had
//     in the layers below after it has set the directory's time, and with an
//     opaque one now and then what the layer itself has. Its layers get the
//     whiteouts first, as the spec asks of who writes them.
//   - An opaque root: overlayfs looks for that attribute below the root only. Its
//     layers get whiteouts of all that the root has.
//   - A hard link to a layer below: a layer of overlayfs has no name of a file in
//     another, so it gets a copy. exceptOverlay lets which names are one file be
//     another for such files, and for no others.
//   - A device of char 0/0 is a whiteout to overlayfs. It is not generated.

// exceptOverlay takes out of both trees which names are one file, of those that
// have names from several layers.
func (s *stack) exceptOverlay(got, want map[string]facts) {
	s.root.walk(".", func(path string, n *node) {
		if n.split && got[path] != nil && want[path] != nil {
			got[path]["names"], want[path]["names"] = "", ""
		}
	})
}

// mount has the kernel show the stack: each layer a directory, one over the
// other, read-only.
func (s *stack) mount(t *testing.T) string {
	t.Helper()
	dir, lower := scratch(t), ""
	for n, l := range s.layers {
		layer := filepath.Join(dir, fmt.Sprint(n))
		lower = layer + ":" + lower
		l.layOut(t, layer)
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
