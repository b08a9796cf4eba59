// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/unix"
)

// A bag is a set of extended attributes.
type bag map[string]string

// inlineBags fit into the inode, which has 92 bytes for them.
var inlineBags = []bag{
	{},
	{"user.empty": ""},
	{"user.a": "1"},
	{"trusted.t": "22"},
	{"security.s": "333", "trusted.e": ""},
	{"user.fits": strings.Repeat("f", 64)},
	{"system.posix_acl_access": acl(1000)},
	{"system.posix_acl_default": acl(1 << 31)},
}

// outerBags need an xattr block or EA inodes.
var outerBags = []bag{
	{"user.just-not": strings.Repeat("n", 70)},
	{"user.empty": "", "user.63": strings.Repeat("a", 63), "user.64": strings.Repeat("b", 64)},
	{"trusted.2000": strings.Repeat("c", 2000), "security.1": "1"},
	{"user.4000": strings.Repeat("d", 4000)},
	{"user.4001": strings.Repeat("d", 4001), "user.1": "1"},
	{"trusted.4097": strings.Repeat("e", 4097)},
	{"trusted.20000": strings.Repeat("shared", 3333), "user.63": strings.Repeat("f", 63)},
	{"trusted.65536": strings.Repeat("g", 65536), "security.many": strings.Repeat("h", 40000), "user.x": "x"},
	{"system.posix_acl_access": acl(7), "system.posix_acl_default": acl(8), "trusted.500": strings.Repeat("i", 500)},
	manyAttributes("user.%02d", 60, 8),
	manyAttributes("trusted.%03d", 120, 0),
	{"trusted." + allBytes(): "every byte", "user." + strings.Repeat("N", 250): ""},
}

func manyAttributes(name string, count, size int) bag {
	b := bag{}
	for i := range count {
		b[fmt.Sprintf(name, i)] = strings.Repeat("m", size)
	}
	return b
}

// allBytes returns a name suffix of every byte value that an attribute name
// can have, minus eight for its namespace.
func allBytes() string {
	var b []byte
	for c := 1; len(b) < 247; c++ {
		b = append(b, byte(c))
	}
	return string(b)
}

// put sets the attributes that a path's type of file can have.
func (g *grower) put(path string, b bag) {
	for _, name := range union(b, nil) { // sorted: the layout depends on the order
		err := unix.Lsetxattr(path, name, []byte(b[name]), 0)
		if err != nil && !refusesXattr(path, name) {
			g.t.Fatalf("%q: xattr %q of %d bytes: %v", path, name, len(b[name]), err)
		}
	}
}

// refusesXattr reports whether the kernel refuses an attribute: user
// attributes are for files and directories, ACLs for all but symlinks, default
// ACLs for directories (xattr(7)).
func refusesXattr(path, name string) bool {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return false
	}
	kind := typeNames[st.Mode&unix.S_IFMT]
	switch {
	case strings.HasPrefix(name, "user."):
		return kind != "file" && kind != "dir"
	case name == "system.posix_acl_access":
		return kind == "link"
	}
	return name == "system.posix_acl_default" && kind != "dir"
}

// bags returns the bags that the filler keeps.
func bags() []bag {
	if testedFiller.keepsAll {
		return append(append([]bag{}, inlineBags...), outerBags...)
	}
	return inlineBags
}

// attributes sets every bag on a directory, a file and a symlink, and the same
// bag on more inodes than the 1024 that can share a block.
func (g *grower) attributes(root string) {
	dir := g.dir(root + "/attributes")
	for i, b := range bags() {
		name := fmt.Sprintf("%s/%02d", dir, i)
		for range 2 { // so that xattr blocks are shared
			name += "x"
			g.put(g.dir(name+"-dir"), b)
			g.node(name+"-file", unix.S_IFREG, 0)
			g.put(name+"-file", b)
			g.symlink(name+"-link", "nowhere")
			g.put(name+"-link", b)
		}
	}
	shared := g.dir(root + "/shared")
	for i := range 1030 {
		path := fmt.Sprintf("%s/%d", shared, i)
		g.node(path, unix.S_IFREG, 0)
		g.put(path, bags()[len(bags())-3])
	}
}

var (
	someIDs   = []int{0, 1, 1000, 65534, 65535, 65536, 1<<31 - 1, 1 << 31, math.MaxUint32 - 1}
	someModes = []uint32{0, 0o7777, 0o644, 0o755, 0o4755, 0o2755, 0o1777, 0o400}
	someTimes = []int64{-1 << 31, -1<<31 + 1, -1, 0, 1, 1700000000, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<33 - 1, 1 << 33, 3<<32 - 1<<31 - 1, 1<<34 - 1<<31 - 1}
	someNsecs = []int64{0, 1, 123456789, 1<<29 + 1, 999999999}
)

func pick[T any](g *grower, from []T) T { return from[g.IntN(len(from))] }

// setMetadata sets owners, modes, some attributes, and last, as everything
// else changes them, times.
func (g *grower) setMetadata() {
	for _, path := range g.paths {
		g.must(path, unix.Lchown(path, pick(g, someIDs), pick(g, someIDs)))
		if g.IntN(4) == 0 && !strings.Contains(path, "/shared") && !strings.Contains(path, "/attributes") {
			g.put(path, pick(g, bags()))
		}
		var st unix.Stat_t
		g.must(path, unix.Lstat(path, &st))
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			g.must(path, unix.Chmod(path, pick(g, someModes)))
		}
	}
	for _, path := range g.paths {
		mtime := unix.Timespec{Sec: pick(g, someTimes), Nsec: pick(g, someNsecs)}
		times := []unix.Timespec{{Sec: 12345}, mtime}
		g.must(path, unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW))
	}
}
