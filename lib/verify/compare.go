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

// A comparer goes through two trees side by side.
type comparer struct {
	want  *Want
	have  *image
	found func(Difference)
	names map[*tree.Inode]string // the first path of each inode that has several
}

func (c *comparer) tree() { c.dir(".", c.want.tree.Root, c.have.tree.Root) }

// dir compares a directory under a path, and all below it.
func (c *comparer) dir(path string, want, have *tree.Inode) {
	c.inode(path, want, have)
	if want.Type != tree.Dir || have.Type != tree.Dir {
		return
	}
	for _, name := range want.Names() {
		child := path + "/" + mtree.Escape(name)
		if h := have.Lookup(name); h == nil {
			c.found(Difference{Path: child, What: Missing})
		} else {
			c.dir(child, want.Lookup(name), h)
		}
	}
	for _, name := range have.Names() {
		if want.Lookup(name) == nil {
			c.found(Difference{Path: path + "/" + mtree.Escape(name), What: More})
		}
	}
}

// inode compares what two inodes say, and once for all their names what they
// hold.
func (c *comparer) inode(path string, want, have *tree.Inode) {
	first := c.first(path, want)
	if same := c.first(path, have); same != first {
		c.found(Difference{path, SameAs, said(first), said(same)})
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
		c.found(Difference{path, Blocks, said(fmt.Sprint(want.Blocks)), said(fmt.Sprint(have.Blocks))})
	}
	if c.want.sum(want) != c.have.get(have) {
		c.found(Difference{Path: path, What: Content})
	}
}

// keywords returns what mtree(5) says of an inode: but for how many names it has,
// which the names tell, and with its ACLs as ext4 gives them back.
func keywords(n *tree.Inode) []string {
	kept := *n
	kept.Nlink = 1
	kept.Xattrs = slices.Clone(n.Xattrs)
	for i, x := range n.Xattrs {
		if x.Name == tree.ACLAccess || x.Name == tree.ACLDefault {
			kept.Xattrs[i].Value = ext4.KeptACL(x.Value)
		}
	}
	return mtree.Keywords(&kept)
}

// first returns the first path of an inode.
func (c *comparer) first(path string, n *tree.Inode) string {
	if n.Nlink == 1 || n.Type == tree.Dir {
		return path
	}
	if c.names[n] == "" {
		c.names[n] = path
	}
	return c.names[n]
}

// keywords compares the keywords of two inodes, in their order.
func (c *comparer) keywords(path string, want, have []string) {
	others := map[string]Value{}
	for _, word := range have {
		key, value, _ := strings.Cut(word, "=")
		others[key] = said(value)
	}
	for _, word := range want {
		key, value, _ := strings.Cut(word, "=")
		if other := others[key]; other != said(value) {
			c.found(Difference{path, key, said(value), other})
		}
		delete(others, key)
	}
	for _, word := range have {
		key, _, _ := strings.Cut(word, "=")
		if other, left := others[key]; left {
			c.found(Difference{path, key, Value{}, other})
		}
	}
}
