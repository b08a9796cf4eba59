// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"strings"
	"testing"

	"banger/lib/tree"
)

// every shows the whole format, which must not change: users grep, diff and edit
// manifests, and the UUID of an image depends on it.
const every = `#mtree v2.0
. type=dir uid=0 gid=0 mode=1777 time=0.000000000 xattr.system.posix_acl_default=AgAAAAEABwD/////
./%+,-.@_ type=file uid=0 gid=0 mode=0644 size=0 time=0.000000000
./\001\011\012\015\040\041\042\043\044\046\047\050\051\052\072\073\074\075\076\077\133\134\135\136\140\173\174\175\176\177 type=file uid=0 gid=0 mode=0000 size=0 time=15032385535.000000001
./\303\251\377 type=link uid=1000 gid=1000 mode=0777 link=\134\040\377/.. time=-1.999999999
./block type=block uid=0 gid=6 mode=0660 time=0.000000000 device=linux,4095,1048575
./char type=char uid=0 gid=0 mode=0666 nlink=2 time=0.000000000 device=linux,0,0
./char.too type=char uid=0 gid=0 mode=0666 nlink=2 time=0.000000000 device=linux,0,0
./d type=dir uid=4294967294 gid=4294967294 mode=2755 time=-2147483648.000000000
./d-e type=file uid=0 gid=0 mode=7777 size=9223372036854775807 time=0.100000000 xattr.trusted.\303\251\075=AA== xattr.user.%+,-.@_= xattr.user.a/b=/+8=
./d.e type=fifo uid=0 gid=0 mode=0600 time=0.000000000
./d/e type=link uid=0 gid=0 mode=0777 nlink=2 link=x time=0.000000000
./d/f type=link uid=0 gid=0 mode=0777 nlink=2 link=x time=0.000000000
./socket type=socket uid=0 gid=0 mode=0755 time=0.000000000
`

func everyTree(t *testing.T) *tree.Tree {
	const control = "\x01\t\n\r !\"#$&'()*:;<=>?[\\]^`{|}~\x7f"
	acl := tree.Xattr{Name: tree.ACLDefault, Value: "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff"}
	made := tree.New(tree.Inode{Mode: 0o1777, Xattrs: []tree.Xattr{acl}})
	d := &tree.Inode{Type: tree.Dir, UID: 1<<32 - 2, GID: 1<<32 - 2, Mode: 0o2755, Sec: tree.MinTime}
	char := &tree.Inode{Type: tree.Char, Mode: 0o666}
	symlink := &tree.Inode{Type: tree.Symlink, Mode: 0o777, Target: "x"}
	for name, n := range map[string]*tree.Inode{
		"d": d, "char": char,
		control:      {Sec: tree.MaxTime, Nsec: 1},
		"%+,-.@_":    {Mode: 0o644},
		"\u00e9\xff": {Type: tree.Symlink, UID: 1000, GID: 1000, Mode: 0o777, Target: "\\ \xff/..", Sec: -1, Nsec: 999_999_999},
		"block":      {Type: tree.Block, GID: 6, Mode: 0o660, Major: 1<<12 - 1, Minor: 1<<20 - 1},
		"d-e": {Mode: 0o7777, Size: 1<<63 - 1, Nsec: 100_000_000, Xattrs: []tree.Xattr{
			{Name: "trusted.\u00e9=", Value: "\x00"}, {Name: "user.%+,-.@_"}, {Name: "user.a/b", Value: "\xff\xef"}}},
		"d.e":    {Type: tree.Fifo, Mode: 0o600},
		"socket": {Type: tree.Socket, Mode: 0o755},
	} {
		made.Root.Put(name, n, nil)
	}
	d.Put("e", symlink, nil)
	link(t, made.Root, "char.too", char)
	link(t, d, "f", symlink)
	return made
}

func link(t *testing.T, d *tree.Inode, name string, n *tree.Inode) {
	t.Helper()
	if err := d.Link(name, n, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFormat(t *testing.T) {
	if got := write(t, everyTree(t)); got != every {
		t.Errorf("got\n%swant\n%s", got, every)
	}
	m, err := Read(strings.NewReader(every))
	if err != nil {
		t.Fatal(err)
	}
	link(t, m.Tree.Root, "char.too", m.Tree.Root.Lookup("char"))
	d := m.Tree.Root.Lookup("d")
	link(t, d, "f", d.Lookup("e"))
	if got := write(t, m.Tree); got != every {
		t.Errorf("read and written again:\n%s", got)
	}
}
