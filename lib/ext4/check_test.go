// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"strings"
	"testing"

	"banger/lib/status"
	"banger/lib/tree"
)

// What cannot be stored is rejected with its path.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		path string
		n    tree.Inode
		want string
	}{
		{"a socket", "run/s", tree.Inode{Type: tree.Socket}, "./run/s: "},
		{"an odd name", "a b\n", tree.Inode{Type: tree.Socket}, `./a\040b\012: `},
		{"a file called lost+found", "lost+found", tree.Inode{}, "./lost+found: "},
		{"xattrs that do not fit", "x", tree.Inode{Xattrs: []tree.Xattr{{Name: "user.x", Value: strings.Repeat("v", 93)}}}, "./x: xattrs too large"},
		{"xattrs that do not fit together", "x", tree.Inode{Xattrs: []tree.Xattr{
			{Name: "user.x", Value: strings.Repeat("v", 30)}, {Name: "user.y", Value: strings.Repeat("v", 30)}}}, "./x: xattrs too large"},
		{"an unknown namespace", "x", tree.Inode{Xattrs: []tree.Xattr{{Name: "btrfs.x"}}}, "btrfs.x"},
		{"a namespace without a name", "x", tree.Inode{Xattrs: []tree.Xattr{{Name: "user."}}}, "user."},
		{"an ACL with a tail", "x", tree.Inode{Xattrs: []tree.Xattr{{Name: tree.ACLAccess + ".x"}}}, tree.ACLAccess},
		{"a malformed ACL", "x", tree.Inode{Xattrs: []tree.Xattr{{Name: tree.ACLAccess, Value: "\x01"}}}, "ACL"},
		{"a time before 1901", "x", tree.Inode{Sec: -1<<31 - 1}, "./x: "},
		{"a time after 2446", "x", tree.Inode{Sec: 1<<34 - 1<<31}, "./x: "},
	} {
		root := tree.New(tree.Inode{})
		parts, _ := tree.Split(c.path)
		dir, _ := root.Dir(parts[:len(parts)-1], func() (*tree.Inode, error) { return &tree.Inode{Type: tree.Dir}, nil })
		dir.Put(parts[len(parts)-1], &c.n, nil)
		if err := checkTree(root, checkForMkfs); err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad {
			t.Errorf("%s: status %d: %v; want %s", c.name, status.Of(err), err, c.want)
		}
	}
}

// mkfs.ext4 -d copies a symlink with two names.
func TestCheckSymlinkNames(t *testing.T) {
	root := tree.New(tree.Inode{})
	n := &tree.Inode{Type: tree.Symlink, Target: "t"}
	root.Root.Put("a", n, nil)
	root.Root.Link("b", n, nil)
	if err := checkTree(root, checkForMkfs); err == nil || !strings.HasPrefix(err.Error(), "./a: ") {
		t.Errorf("%v", err)
	}
}

func TestCheckAllows(t *testing.T) {
	s := newSource(t)
	s.grow(1, 200)
	if err := checkTree(s.tree, checkForMkfs); err != nil {
		t.Error(err)
	}
}
