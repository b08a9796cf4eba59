// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A grower creates a random tree of everything that ext4, or the filler under
// test, can hold, at every limit that is easy to get wrong. The same seed
// creates the same tree. It needs root.
type grower struct {
	*rand.Rand
	t     testing.TB
	noise []byte
	dirs  []string // directories with short paths, to add files to
	paths []string // all paths, the root first
	files []string // paths that can be hard linked
}

func grow(t testing.TB, root string, seed uint64) {
	t.Helper()
	g := &grower{Rand: rand.New(rand.NewPCG(seed, 0)), t: t, noise: smallNoise(seed, 1<<20)}
	g.dir(root)
	for _, part := range []func(string){
		g.types, g.targets, g.contents, g.names, g.wide, g.deep, g.attributes, g.scatter, g.links,
	} {
		part(root)
	}
	if seed == 0 {
		g.file(root+"/dense", 129<<20, span{0, 129 << 20}) // exceeds an extent's 128 MiB
	}
	g.lostFound(root, seed)
	g.setMetadata()
}

func (g *grower) must(path string, err error) {
	if err != nil {
		g.t.Helper()
		g.t.Fatalf("%q: %v", path, err)
	}
}

func (g *grower) dir(path string) string {
	g.must(path, os.Mkdir(path, 0o755))
	g.paths = append(g.paths, path)
	if len(path) < 1000 {
		g.dirs = append(g.dirs, path)
	}
	return path
}

// node creates a device, fifo, socket or empty file.
func (g *grower) node(path string, mode uint32, device uint64) {
	g.must(path, unix.Mknod(path, mode|0o600, int(device)))
	g.paths, g.files = append(g.paths, path), append(g.files, path)
}

func (g *grower) symlink(path, target string) {
	g.must(path, os.Symlink(target, path))
	g.paths = append(g.paths, path)
	if testedFiller.keepsAll {
		g.files = append(g.files, path)
	}
}

func (g *grower) link(path, old string) {
	g.must(path, os.Link(old, path))
}

// types creates files of every type. The old format of a device number has
// eight bits each, the new one 12 and 20.
func (g *grower) types(root string) {
	dir := g.dir(root + "/types")
	for i, number := range []uint64{unix.Mkdev(0, 0), unix.Mkdev(1, 3), unix.Mkdev(255, 255), unix.Mkdev(1, 256), unix.Mkdev(256, 1), unix.Mkdev(4095, 1<<20-1)} {
		g.node(fmt.Sprintf("%s/char-%d", dir, i), unix.S_IFCHR, number)
		g.node(fmt.Sprintf("%s/block-%d", dir, i), unix.S_IFBLK, number)
	}
	g.node(dir+"/fifo", unix.S_IFIFO, 0)
	g.node(dir+"/file", unix.S_IFREG, 0)
	if testedFiller.keepsAll {
		g.node(dir+"/socket", unix.S_IFSOCK, 0)
	}
}

// targets creates symlinks: up to 59 bytes are in the inode, more in a block.
func (g *grower) targets(root string) {
	dir := g.dir(root + "/targets")
	for _, size := range []int{1, 2, 58, 59, 60, 61, 62, 1000, 4094, 4095} {
		g.symlink(fmt.Sprintf("%s/%d", dir, size), string(g.bytes(size)))
	}
}

// bytes returns random bytes that a name can have.
func (g *grower) bytes(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		for b[i] == 0 || b[i] == '/' {
			b[i] = byte(g.IntN(256))
		}
	}
	return b
}

// names creates names of every length and byte.
func (g *grower) names(root string) {
	lengths, values := g.dir(root+"/lengths"), g.dir(root+"/bytes")
	var all []byte
	for n := 1; n < 256; n++ {
		g.node(fmt.Sprintf("%s/%s", lengths, strings.Repeat("n", n)), unix.S_IFREG, 0)
		if n > 2 { // avoids . and ..
			g.node(fmt.Sprintf("%s/%s", lengths, g.bytes(n)), unix.S_IFIFO, 0)
		}
		if n != '/' {
			all = append(all, byte(n))
		}
		if n != '/' && n != '.' {
			g.node(fmt.Sprintf("%s/%s", values, []byte{byte(n)}), unix.S_IFREG, 0)
		}
	}
	g.node(values+"/"+string(all), unix.S_IFREG, 0)
}

func (g *grower) deep(root string) {
	path := g.dir(root + "/deep")
	for range 200 {
		path = g.dir(path + "/d")
	}
	g.node(path+"/bottom", unix.S_IFREG, 0)
}

// scatter creates files of every type all over the tree.
func (g *grower) scatter(root string) {
	for i := range 400 {
		path := fmt.Sprintf("%s/%d-%s", g.dirs[g.IntN(len(g.dirs))], i, g.bytes(1+g.IntN(200)))
		switch g.IntN(5) {
		case 0:
			g.dir(path)
		case 1:
			g.symlink(path, string(g.bytes(1+g.IntN(300))))
		case 2:
			g.node(path, unix.S_IFBLK, unix.Mkdev(uint32(g.IntN(4096)), uint32(g.IntN(1<<20))))
		default:
			size := int64(g.IntN(100_000))
			g.file(path, size, span{0, size})
		}
	}
}

// links adds hard links, far from the first name.
func (g *grower) links(string) {
	files := g.files
	for i := range 300 {
		g.link(fmt.Sprintf("%s/link-%d", g.dirs[g.IntN(len(g.dirs))], i), files[g.IntN(len(files))])
	}
}

// lostFound creates no lost+found, an empty or a full one.
func (g *grower) lostFound(root string, seed uint64) {
	path := root + "/lost+found"
	switch seed % 3 {
	case 1:
		g.dir(path)
	case 2:
		g.dir(path)
		for i := range 500 { // exceeds the blocks that mke2fs gives it
			g.node(fmt.Sprintf("%s/%d-%s", path, i, strings.Repeat("x", 100)), unix.S_IFREG, 0)
		}
	}
}
