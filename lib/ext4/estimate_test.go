// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"banger/lib/status"
	"banger/lib/tree"
)

// Block counts that were estimated too high are corrected while files are read;
// the image is the same as with exact counts.
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

// zeros returns a tree of files with many zeros, and some shared xattrs.
func zeros(t testing.TB) *source {
	s := newSource(t)
	s.direct = true
	content := strings.Repeat("x"+strings.Repeat("\x00", 2*blockSize-1), 1000)
	for i := range 5 {
		s.add(fmt.Sprint(i), tree.Inode{Xattrs: []tree.Xattr{{Name: "user.x", Value: strings.Repeat("v", 500)}}}, content)
	}
	return s
}

// A size that suffices for the exact counts is accepted even if the estimates do
// not fit; a smaller one is rejected with a hint that names the minimum.
func TestEstimateTooSmall(t *testing.T) {
	s := newSource(t)
	s.direct = true
	n := s.add("f", tree.Inode{}, strings.Repeat("\x00", 40<<20)+strings.Repeat("x", 6<<20))
	estimated := func(size int64) error {
		n.Blocks, n.Runs = blocksOf(n.Size), 1
		_, err := s.create(Options{Size: size, Free: -1, Created: 1})
		return err
	}
	if err := estimated(16 << 20); err != nil {
		t.Error(err)
	}
	err := estimated(9 << 20)
	var minimum int64
	if _, scanErr := fmt.Sscanf(status.HintOf(err), "--size %d", &minimum); scanErr != nil || minimum > 16<<20 {
		t.Fatalf("%v, hint %s", err, status.HintOf(err))
	}
	if err := estimated(minimum); err != nil {
		t.Error(err)
	}
}

// The size in the hint suffices, even if metadata splits a file into more extents
// than the inode holds.
func TestHintHolds(t *testing.T) {
	run := strings.Repeat("x", blockSize) + strings.Repeat("\x00", blockSize)
	s := newSource(t)
	s.direct = true
	s.add("split", tree.Inode{}, run+run+run+strings.Repeat("x", 125<<20))
	for i := range 199 {
		s.add(fmt.Sprint(i), tree.Inode{}, "1")
	}
	_, err := s.create(Options{Size: 100 << 20, Free: -1, Created: 1})
	var minimum int64
	if _, scanErr := fmt.Sscanf(status.HintOf(err), "--size %d", &minimum); scanErr != nil {
		t.Fatalf("%v, hint %s", err, status.HintOf(err))
	}
	s.image(Options{Size: minimum, Free: -1, Created: 1})
}

// Files that change while being read are an error; there are no endless retries.
func TestChanged(t *testing.T) {
	for _, more := range []int{-1, 1} {
		s := zeros(t)
		s.tree.Root.Lookup("3").Size += int64(more)
		if _, err := s.create(Options{Size: 128 << 20, Free: -1, Created: 1}); !errors.Is(err, errChanged) || !strings.Contains(err.Error(), "./3: ") {
			t.Errorf("%+d bytes: %v", more, err)
		}
	}
}
