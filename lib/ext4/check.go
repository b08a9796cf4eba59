// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// LostFound is the name of the directory that mke2fs makes in the root.
const LostFound = "lost+found"

// checkTree returns an error that names the first path in t that ext4 cannot store
// or for which inode returns an error.
func checkTree(t *tree.Tree, inode func(*tree.Inode) error) error {
	return t.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		err := inode(n)
		switch {
		case dir == t.Root && name == LostFound && n.Type != tree.Dir:
			err = errors.New("must be a directory in ext4")
		case n.Sec < tree.MinTime || n.Sec > tree.MaxTime:
			err = fmt.Errorf("time %d not supported by ext4", n.Sec)
		case n.Size > maxFile*blockSize:
			err = fmt.Errorf("%d bytes: too large for ext4 (limit 16 TiB)", n.Size)
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

// checkForMkfs returns an error if PopulateMkfs cannot keep an inode, with a hint
// if PopulateDirect can.
func checkForMkfs(n *tree.Inode) error {
	err := mkfsLimits(n)
	if err != nil && checkForDirect(n) == nil {
		err = status.Hint(err, "--populate direct keeps it")
	}
	return err
}

func mkfsLimits(n *tree.Inode) error {
	switch {
	case n.Type == tree.Socket:
		return errors.New("mkfs.ext4 -d cannot keep sockets")
	case n.Type == tree.Symlink && n.Nlink > 1:
		return fmt.Errorf("mkfs.ext4 -d cannot keep %d hard links to a symlink", n.Nlink)
	}
	all, err := attributes(n.Xattrs)
	if err == nil && xattrSize(all) > xattrRoom {
		err = fmt.Errorf("xattrs too large for the inode: %d bytes (limit %d)", xattrSize(all), xattrRoom)
	}
	return err
}

// checkForDirect returns an error if PopulateDirect cannot keep an inode.
func checkForDirect(n *tree.Inode) error {
	all, err := attributes(n.Xattrs)
	if err == nil {
		_, err = placeAttributes(all, 0)
	}
	return err
}
