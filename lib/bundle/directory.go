// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"

	"banger/lib/tree"
)

// Directory reads a plain directory, even if it looks like a bundle, as a tree in
// which everything belongs to root, has no xattrs, and is from 1970: 0755 for
// directories, 0644 for other files. root is the path of the files for lib/ext4.
func Directory(ctx context.Context, dir string) (t *tree.Tree, root string, err error) {
	root = dir + "/."
	if t, err = scan(ctx, root, nil, func(string) {}); err != nil {
		return nil, "", err
	}
	err = t.Walk(func(_ *tree.Inode, _ string, n *tree.Inode) error {
		n.Mode, n.UID, n.GID, n.Sec, n.Nsec, n.Xattrs = 0o644, 0, 0, 0, 0, nil
		if n.Type == tree.Dir {
			n.Mode = 0o755
		}
		return nil
	})
	return t, root, err
}
