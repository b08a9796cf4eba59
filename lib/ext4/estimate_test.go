// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"banger/lib/tree"
)

// Blocks that were estimated too high, as where a host keeps zeros, come out as
// the files are read: the bytes are those of a tree that was counted.
func TestEstimate(t *testing.T) {
	for name, o := range map[string]Options{
		"another size": {Minimal: true, Created: 1}, "the same size": {Size: 128 << 20, Free: -1, Created: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var sums [2][]byte
			for i := range sums {
				s := zeros(t)
				if i == 1 {
					s.tree.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
						if n.Blocks > 0 {
							n.Blocks, n.Runs = blocksOf(n.Size), 1
						}
						return nil
					})
				}
				m := s.image(o)
				same(t, zeros(t).tree, m)
				sums[i] = sum(t, m.f.Name())
			}
			if !bytes.Equal(sums[0], sums[1]) {
				t.Errorf("counted %x, estimated %x", sums[0], sums[1])
			}
		})
	}
}

// zeros is a tree with many zeros in files, and some attributes that are shared.
func zeros(t testing.TB) *source {
	s := newSource(t)
	s.direct = true
	content := strings.Repeat("x"+strings.Repeat("\x00", 2*blockSize-1), 1000)
	for i := range 5 {
		s.add(fmt.Sprint(i), tree.Inode{Xattrs: []tree.Xattr{{Name: "user.x", Value: strings.Repeat("v", 500)}}}, content)
	}
	return s
}

// A tree whose files change while they are read is noticed, and nothing spins.
func TestChanged(t *testing.T) {
	for _, more := range []int{-1, 1} {
		s := zeros(t)
		s.tree.Root.Lookup("3").Size += int64(more)
		if _, err := s.create(Options{Size: 128 << 20, Free: -1, Created: 1}); err == nil || !strings.Contains(err.Error(), "./3: ") {
			t.Errorf("%+d bytes: %v", more, err)
		}
	}
}
