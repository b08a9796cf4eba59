// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// check refuses, by name and before anything is made, what mkfs.ext4 -d and
// the metadata pass together cannot give.
func check(t *tree.Tree) error {
	return t.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		err := checkInode(n)
		if dir == t.Root && name == "lost+found" && n.Type != tree.Dir {
			err = errors.New("ext4 wants a directory of this name")
		}
		if err == nil {
			return nil
		}
		path := "./"
		if dir != nil {
			path += mtree.Escape(dir.Join(name))
		}
		return status.Errorf(status.Bad, "%s: %w", path, err)
	})
}

func checkInode(n *tree.Inode) error {
	switch {
	case n.Type == tree.Socket:
		return errors.New("mkfs.ext4 keeps no sockets")
	case n.Sec < tree.MinTime || n.Sec > tree.MaxTime:
		return fmt.Errorf("ext4 cannot hold the time %d", n.Sec)
	case n.Type == tree.Symlink && n.Nlink > 1:
		return fmt.Errorf("mkfs.ext4 -d cannot keep %d names of one symlink", n.Nlink)
	}
	all, err := attributes(n.Xattrs)
	if err == nil && room(all) > xattrRoom {
		err = fmt.Errorf("xattrs take %d bytes, the inode has %d", room(all), xattrRoom)
	}
	return err
}
