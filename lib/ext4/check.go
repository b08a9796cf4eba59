// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// LostFound is the directory that mke2fs makes in the root.
const LostFound = "lost+found"

// check refuses, by name and before anything is made, what an image cannot
// keep: what inode says, and what no ext4 can.
func check(t *tree.Tree, inode func(*tree.Inode) error) error {
	return t.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		err := inode(n)
		switch {
		case dir == t.Root && name == LostFound && n.Type != tree.Dir:
			err = errors.New("ext4 wants a directory of this name")
		case n.Sec < tree.MinTime || n.Sec > tree.MaxTime:
			err = fmt.Errorf("ext4 cannot hold the time %d", n.Sec)
		case n.Size > maxFile*blockSize:
			err = fmt.Errorf("%d bytes, ext4 has files of up to 16 TiB", n.Size)
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

// byMkfs tells what mkfs.ext4 -d and the metadata pass together cannot keep of
// an inode, and if direct can, says so.
func byMkfs(n *tree.Inode) error {
	err := lostByMkfs(n)
	if err != nil && directly(n) == nil {
		err = status.Hint(err, "--populate direct keeps it")
	}
	return err
}

func lostByMkfs(n *tree.Inode) error {
	switch {
	case n.Type == tree.Socket:
		return errors.New("mkfs.ext4 keeps no sockets")
	case n.Type == tree.Symlink && n.Nlink > 1:
		return fmt.Errorf("mkfs.ext4 -d cannot keep %d names of one symlink", n.Nlink)
	}
	all, err := attributes(n.Xattrs)
	if err == nil && room(all) > xattrRoom {
		err = fmt.Errorf("xattrs take %d bytes, the inode has %d", room(all), xattrRoom)
	}
	return err
}

// directly tells what direct cannot keep of an inode.
func directly(n *tree.Inode) error {
	all, err := attributes(n.Xattrs)
	if err == nil {
		_, err = place(all, 0)
	}
	return err
}
