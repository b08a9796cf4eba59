// SPDX-License-Identifier: Apache-2.0

package ext4

import "banger/lib/tree"

// walk visits every inode once, in the order of inode numbers: the root, then
// lost+found and everything below it, then the others. If leave is not nil, walk
// calls it for each directory after everything below the directory.
func (p *plan) walk(visit func(dir *tree.Inode, name string, n *tree.Inode) error, leave func(dir *tree.Inode)) error {
	w := planWalk{plan: p, visit: visit, leave: leave, seen: map[*tree.Inode]bool{}}
	if err := visit(nil, "", p.root); err != nil {
		return err
	}
	return w.children(p.root)
}

type planWalk struct {
	*plan
	visit func(dir *tree.Inode, name string, n *tree.Inode) error
	leave func(dir *tree.Inode)
	seen  map[*tree.Inode]bool // inodes with several names
}

func (w planWalk) children(dir *tree.Inode) error {
	if dir == w.root {
		if err := w.subdir(dir, LostFound, w.lostFound); err != nil {
			return err
		}
	}
	names := dir.Names()
	for _, name := range names {
		n := dir.Lookup(name)
		if n.Type == tree.Dir || w.seen[n] {
			continue
		}
		if n.Nlink > 1 {
			w.seen[n] = true
		}
		if err := w.visit(dir, name, n); err != nil {
			return err
		}
	}
	for _, name := range names {
		if n := dir.Lookup(name); n.Type == tree.Dir && n != w.lostFound {
			if err := w.subdir(dir, name, n); err != nil {
				return err
			}
		}
	}
	if w.leave != nil {
		w.leave(dir)
	}
	return nil
}

func (w planWalk) subdir(dir *tree.Inode, name string, n *tree.Inode) error {
	if err := w.visit(dir, name, n); err != nil {
		return err
	}
	return w.children(n)
}
