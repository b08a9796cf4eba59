// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"slices"
	"strings"

	"banger/lib/ext4"
	"banger/lib/mtree"
	"banger/lib/tree"
)

// A comparer compares two trees.
type comparer struct {
	want   *Want
	have   *image
	report func(Difference)
	names  map[*tree.Inode]string // the first path of each inode with several names
}

func (c *comparer) tree() { c.dir(".", c.want.tree.Root, c.have.tree.Root) }

// dir compares the inodes at path and, if both are directories, all below.
func (c *comparer) dir(path string, want, have *tree.Inode) {
	c.inode(path, want, have)
	if want.Type != tree.Dir || have.Type != tree.Dir {
		return
	}
	for _, name := range want.Names() {
		child := path + "/" + mtree.Escape(name)
		if h := have.Lookup(name); h == nil {
			c.report(Difference{Path: child, What: Missing})
		} else {
			c.dir(child, want.Lookup(name), h)
		}
	}
	for _, name := range have.Names() {
		if want.Lookup(name) == nil {
			c.report(Difference{Path: path + "/" + mtree.Escape(name), What: Extra})
		}
	}
}

// inode compares two inodes: their hard links for each name, the rest once.
func (c *comparer) inode(path string, want, have *tree.Inode) {
	first := c.first(path, want)
	if got := c.first(path, have); got != first {
		c.report(Difference{path, Hardlink, valueOf(first), valueOf(got)})
	}
	if first != path {
		return
	}
	if !tree.SameMeta(want, have) {
		c.keywords(path, keywords(want), keywords(have))
	}
	if want.Type != tree.File || have.Type != tree.File || want.Size != have.Size {
		return
	}
	if want.Blocks != have.Blocks {
		c.report(Difference{path, Blocks, valueOf(fmt.Sprint(want.Blocks)), valueOf(fmt.Sprint(have.Blocks))})
	}
	if c.want.sum(want) != c.have.get(have) {
		c.report(Difference{Path: path, What: Content})
	}
}

// keywords returns the mtree(5) keywords of an inode without nlink, which
// follows from the names, and with ACLs as ext4 returns them.
func keywords(n *tree.Inode) []string {
	kept := *n
	kept.Nlink = 1
	kept.Xattrs = slices.Clone(n.Xattrs)
	for i, x := range n.Xattrs {
		if x.Name == tree.ACLAccess || x.Name == tree.ACLDefault {
			kept.Xattrs[i].Value = ext4.NormalizeACL(x.Value)
		}
	}
	return mtree.Keywords(&kept)
}

// first returns the first path at which n was found.
func (c *comparer) first(path string, n *tree.Inode) string {
	if n.Nlink == 1 || n.Type == tree.Dir {
		return path
	}
	if c.names[n] == "" {
		c.names[n] = path
	}
	return c.names[n]
}

// keywords compares the keywords of two inodes, in order.
func (c *comparer) keywords(path string, want, have []string) {
	rest := map[string]Value{} // of have
	for _, word := range have {
		key, value, _ := strings.Cut(word, "=")
		rest[key] = valueOf(value)
	}
	for _, word := range want {
		key, value, _ := strings.Cut(word, "=")
		if got := rest[key]; got != valueOf(value) {
			c.report(Difference{path, key, valueOf(value), got})
		}
		delete(rest, key)
	}
	for _, word := range have {
		key, _, _ := strings.Cut(word, "=")
		if got, ok := rest[key]; ok {
			c.report(Difference{path, key, Value{}, got})
		}
	}
}
