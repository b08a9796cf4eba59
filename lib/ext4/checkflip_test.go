// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"banger/lib/tree"
)

// metadata returns the used blocks of an image other than the content of files,
// with only a few of the journal's log. They include slow symlinks and EA inodes.
func metadata(t testing.TB, m *Image) (blocks []int64) {
	t.Helper()
	read, err := m.ReadTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content := map[int64]bool{}
	add := func(ino uint32, after int64) {
		raw, err := m.readInode(ino)
		if err != nil {
			t.Fatal(err)
		}
		m.visitExtents(ino, raw, func(e extent) error {
			for i := range e.count {
				content[e.physical+i] = e.logical+i >= after
			}
			return nil
		})
	}
	add(journalIno, 10)
	read.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		if n.Type == tree.File {
			add(n.Ino, 0)
		}
		return nil
	})
	for g := range m.groupCount() {
		bits, err := m.blockBitmap(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.groupBlocks(g) {
			if block := g*m.blocksPerGroup() + i; bits.has(i) && !content[block] {
				blocks = append(blocks, block)
			}
		}
	}
	return blocks
}

// detected reports whether reading or checking an image finds a change.
func detected(t testing.TB, name string, want *tree.Tree) bool {
	m, err := Open(name)
	if err != nil {
		return true
	}
	defer m.Close()
	read, err := m.ReadTree(t.Context())
	if err != nil || !sameTree(want.Root, read.Root) {
		return true
	}
	wrong := false
	if err := m.Check(t.Context(), read, func(string) { wrong = true }); err != nil {
		t.Fatal(err)
	}
	return wrong
}

// sameTree reports whether two trees that were read are equal.
func sameTree(a, b *tree.Inode) bool {
	if !tree.SameMeta(a, b) || a.Ino != b.Ino || a.Len() != b.Len() {
		return false
	}
	for _, name := range a.Names() {
		if n := b.Lookup(name); n == nil || !sameTree(a.Lookup(name), n) {
			return false
		}
	}
	return true
}

// Every flipped bit in the metadata of an image is detected.
func TestFlips(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	mkfs := newSource(t)
	mkfs.grow(1, 150)
	for name, m := range map[string]*Image{
		"direct": rich(t).image(small),
		"mkfs":   mkfs.image(small),
		"groups": rich(t).image(Options{Size: 1100 << 20, Free: -1, Created: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			sound(t, m)
			want, err := m.ReadTree(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			blocks := metadata(t, m)
			written := nonzeroBlocks(t, m, blocks)
			flips := 3000
			if testing.Short() { // with the race detector, which takes ten times as long
				flips /= 10
			}
			for i := range flips {
				if i == flips/3 { // most blocks hold unused inodes
					blocks = written
				}
				at := blocks[random.IntN(len(blocks))]*blockSize + random.Int64N(blockSize)
				bit := byte(1) << random.IntN(8)
				flip(t, m, at, bit)
				if !detected(t, m.f.Name(), want) {
					t.Errorf("block %d, byte %#x, bit %#x", at/blockSize, at%blockSize, bit)
				}
				flip(t, m, at, bit)
			}
			sound(t, m)
		})
	}
}

// nonzeroBlocks returns the blocks that are not all zeros.
func nonzeroBlocks(t testing.TB, m *Image, blocks []int64) (written []int64) {
	t.Helper()
	raw := make([]byte, blockSize)
	for _, block := range blocks {
		if _, err := m.f.ReadAt(raw, block*blockSize); err != nil {
			t.Fatal(err)
		}
		if firstNonzero(raw) >= 0 {
			written = append(written, block)
		}
	}
	return written
}

// flip flips bits of a byte.
func flip(t testing.TB, m *Image, at int64, bits byte) {
	t.Helper()
	var b [1]byte
	if _, err := m.f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := m.f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}
