// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// file creates a file with data in the spans and holes elsewhere.
func (g *grower) file(path string, size int64, data ...span) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	g.must(path, err)
	defer f.Close()
	g.must(path, f.Truncate(size))
	for _, s := range data {
		for at := s.from; at < s.to; at += int64(len(g.noise)) {
			_, err := f.WriteAt(g.noise[:min(int64(len(g.noise)), s.to-at)], at)
			g.must(path, err)
		}
	}
	g.paths, g.files = append(g.paths, path), append(g.files, path)
}

const block = 4096

// contents creates files of every size and shape that has a layout of its own:
// an inode holds 4 extents, a block 340.
func (g *grower) contents(root string) {
	dir := g.dir(root + "/contents")
	for _, size := range []int64{0, 1, block - 1, block, block + 1, 11 * block, 12 * block, 12*block + 1, 1 << 20, 5<<20 + 1} {
		g.file(fmt.Sprintf("%s/size-%d", dir, size), size, span{0, size})
	}
	for _, extents := range []int64{2, 3, 4, 5, 339, 340, 341, 342, 680, 681, 4*340 + 1} {
		g.file(fmt.Sprintf("%s/extents-%d", dir, extents), 2*extents*block, alternating(extents)...)
	}
	for _, size := range []int64{1, block, 4<<30 + 1} {
		g.file(fmt.Sprintf("%s/hole-%d", dir, size), size)
	}
	g.zeros(dir)
	g.file(dir+"/4G", 4<<30+3*block+7, span{0, block}, span{4<<30 - block, 4<<30 + block}, span{4<<30 + 3*block, 4<<30 + 3*block + 7})
	g.file(dir+"/last-4G", 4<<30, span{4<<30 - 1, 4 << 30})
	g.file(dir+"/8T", 8<<40+5, span{5, 6}, span{8 << 40, 8<<40 + 5})
	g.file(dir+"/tail-hole", 100*block+1, span{0, block + 1})
}

// alternating returns every second block: as many extents as blocks.
func alternating(extents int64) (data []span) {
	for i := range extents {
		data = append(data, span{2 * i * block, (2*i + 1) * block})
	}
	return data
}

// zeros writes zeros, which are holes in the image.
func (g *grower) zeros(dir string) {
	for _, z := range []struct{ name, content string }{
		{"zeros", zeros(256)},
		{"zeros-1", "\x00"},
		{"zeros-odd", zeros(3)[1:]},
		{"zeros-head", zeros(2) + "x"},
		{"zeros-tail", ones(1) + zeros(2) + "\x00"},
		{"zeros-middle", ones(1) + zeros(9) + ones(3)},
		{"zeros-but-one", zeros(3)[1:] + "\x01"},
	} {
		path := dir + "/" + z.name
		g.must(path, os.WriteFile(path, []byte(z.content), 0o600))
		g.paths, g.files = append(g.paths, path), append(g.files, path)
	}
}

// wide creates directories that just fit, and just do not fit, into a block. A
// block of 4096 bytes has 4060 for names: less ".", ".." and the checksum
// tail, 12 each. Long names fill more blocks than one htree level can index,
// which is 507.
func (g *grower) wide(root string) {
	dirs := g.dirs // keep others from adding to these
	for _, w := range []struct{ entries, length int }{
		{1, 4}, {338, 4}, {339, 4}, {253, 8}, {254, 8}, {15, 255}, {16, 255}, {31, 255}, {2000, 20},
	} {
		dir := g.dir(fmt.Sprintf("%s/wide-%d-%d", root, w.entries, w.length))
		for i := range w.entries {
			g.node(dir+"/"+wideName(i, w.length), unix.S_IFREG, 0)
		}
	}
	dir := g.dir(root + "/wide-8000-255")
	first := dir + "/" + wideName(0, 255)
	g.node(first, unix.S_IFREG, 0)
	for i := 1; i < 8000; i++ {
		g.link(dir+"/"+wideName(i, 255), first) // one inode: only the names matter
	}
	g.dirs = dirs
}

func wideName(i, length int) string { return fmt.Sprintf("%04d%s", i, strings.Repeat("w", length-4)) }
