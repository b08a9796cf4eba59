// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/tree"
)

// setBackupGroups changes the groups that hold only a backup superblock to what
// mke2fs made before 1.47.1 (uninit) or makes since. It returns their number.
func setBackupGroups(t testing.TB, m *Image, uninit bool) (count int) {
	t.Helper()
	for g := range m.groupCount() - 1 { // every version writes the bitmap of the last group
		bits, d := new(bitmap), m.desc(g)
		m.initBlockBitmap(g, bits)
		if !hasSuper(g) || bits.countZeros(m.groupBlocks(g)) != int64(d.u32(gdFreeBlocks)) {
			continue
		}
		count++
		d.setFlags(0, gdBlockUninit)
		d.setU32(gdBlockBitmapCs, m.bitmapChecksum(bits[:]))
		if uninit {
			clear(bits[:])
			d.setFlags(gdBlockUninit, 0)
			d.setU32(gdBlockBitmapCs, 0)
		}
		le.PutUint16(d[gdChecksum:], m.groupChecksum(g))
		m.editBlock(t, d.block(gdBlockBitmap), func(raw []byte) { copy(raw, bits[:]) })
	}
	for g := range m.groupCount() {
		if !hasSuper(g) {
			continue
		}
		if _, err := m.f.WriteAt(m.descs, (g*m.blocksPerGroup()+1)*blockSize); err != nil {
			t.Fatal(err)
		}
	}
	return count
}

// fillBlank makes an empty filesystem, changes it, and fills it with the tree of a
// source. It returns the file.
func fillBlank(t *testing.T, s *source, size int64, change func(m *Image)) string {
	t.Helper()
	program(t, "mkfs.ext4")
	mkfs, err := FindMkfs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Tree: s.tree, Root: s.root, Size: size, Free: -1, Created: 1600000000, Seed: [32]byte{31: 1}}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	o.eaInode = p.eaInode
	file := filepath.Join(t.TempDir(), "rootfs.ext4")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := mkfs.size(t.Context(), file, o, p.demand); err != nil {
		t.Fatal(err)
	}
	fsck(t, file)
	change(opened(t, file))
	fsck(t, file)
	if _, err := fill(t.Context(), file, o, p, attempt{exact: true}); err != nil {
		t.Fatal(err)
	}
	return file
}

// Versions of mke2fs differ in whether they write the block bitmaps of backup
// groups. The filled filesystem has the same bytes either way.
func TestSameBytesWithEveryMke2fs(t *testing.T) {
	for name, content := range map[string]int{"one group": 1 << 20, "two groups": 140 << 20} {
		t.Run(name, func(t *testing.T) {
			s := rich(t)
			s.grow(1, 50)
			s.add("big", tree.Inode{}, strings.Repeat("x", content))
			var sums [][]byte
			for _, uninit := range []bool{true, false} {
				file := fillBlank(t, s, 600<<20, func(m *Image) {
					if setBackupGroups(t, m, uninit) == 0 {
						t.Fatal("no group holds only a backup")
					}
				})
				fsck(t, file)
				sound(t, opened(t, file))
				sums = append(sums, sum(t, file))
			}
			if !bytes.Equal(sums[0], sums[1]) {
				t.Error("the bytes depend on the initial bitmaps of backup groups")
			}
		})
	}
}

// Check accepts backup groups of both kinds, which PopulateMkfs keeps, and finds a
// wrong bit in their bitmaps.
func TestCheckBackupGroups(t *testing.T) {
	whole := rich(t).image(Options{Size: 600 << 20, Free: -1, Created: 1})
	for _, uninit := range []bool{true, false} {
		m := copyOf(t, whole)
		if setBackupGroups(t, m, uninit) == 0 {
			t.Fatal("no group holds only a backup")
		}
		fsck(t, m.f.Name())
		m = opened(t, m.f.Name())
		sound(t, m)
		block := m.desc(1).block(gdBlockBitmap)
		want := "group 1: block bitmap does not match its checksum"
		if uninit {
			want = fmt.Sprintf("group 1: uninitialized block bitmap: block %d", block)
		}
		for _, at := range []int64{0, 2000, blockSize - 1} {
			flip(t, m, block*blockSize+at, 1)
			if all := problems(t, m); !strings.Contains(strings.Join(all, "\n"), want) {
				t.Errorf("uninit %v, byte %d: %q, want %s", uninit, at, all, want)
			}
			flip(t, m, block*blockSize+at, 1)
		}
	}
}
