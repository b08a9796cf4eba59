// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// editable is a script that creates a bundle in the working directory.
const editable = `mkdir -p rootfs/bin rootfs/dev rootfs/etc
echo hello >rootfs/etc/motd
echo secret >rootfs/etc/shadow
echo sh >rootfs/bin/ash
ln rootfs/bin/ash rootfs/bin/sh
: >rootfs/dev/null
ln -s etc/motd rootfs/news
echo '{"version": 1, "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}' >image.json
cat >rootfs.mtree <<.
#mtree v2.0
. type=dir uid=0 gid=0 mode=0755 time=0.000000000
./bin type=dir uid=0 gid=0 mode=0755 time=1.000000000
./bin/ash type=file uid=0 gid=0 mode=0755 nlink=2 size=3 time=2.000000000
./bin/sh type=file uid=0 gid=0 mode=0755 nlink=2 size=3 time=2.000000000
./dev type=dir uid=0 gid=0 mode=0755 time=3.000000000
./dev/null type=char uid=0 gid=0 mode=0666 time=4.000000000 device=linux,1,3
./etc type=dir uid=0 gid=0 mode=0755 time=5.000000000
./etc/motd type=file uid=0 gid=0 mode=0644 size=6 time=6.000000000
./etc/shadow type=file uid=0 gid=0 mode=0000 size=7 time=7.000000000 xattr.user.note=bm90ZQ==
./news type=link uid=0 gid=0 mode=0777 link=etc/motd time=8.000000000
.
`

// An edit is a script that runs in the bundle.
type edit struct{ name, script string }

// bundle creates the bundle and edits it.
func (e edit) bundle(t *testing.T, u user) string {
	t.Helper()
	dir := u.place(t)
	cmd := u.command("sh", "-euc", editable+e.script)
	cmd.Dir = dir
	output(t, cmd)
	return dir
}

// tree returns the tree of the image made from the edited bundle.
func (e edit) tree(t *testing.T, u user, populate string) map[string]facts {
	t.Helper()
	image := output(t, u.command("banger-mkext4", "--size=16M", "--populate="+populate, e.bundle(t, u)))
	fsck(t, image)
	return readTree(t, mount(t, image))
}

// edits and the differences that they make to the image.
var edits = []struct {
	edit
	differs string
}{
	{edit{"nothing", "true"}, ""},
	{edit{"chown", `sed -i '/^\.\/etc\/shadow /s/ gid=0 / gid=42 /' rootfs.mtree`}, `"etc/shadow": owner is "0:42", want "0:0"`},
	{edit{"chown of a link", `sed -i '/^\.\/news /s/ uid=0 / uid=70000 /' rootfs.mtree`}, `"news": owner is "70000:0", want "0:0"`},
	{edit{"chown of all names of a file", `sed -i '/^\.\/bin\/[as]/s/ uid=0 / uid=2 /' rootfs.mtree`},
		`"bin/ash": owner is "2:0", want "0:0"` + "\n" + `"bin/sh": owner is "2:0", want "0:0"`},
	{edit{"chmod", `sed -i '/^\.\/etc\/motd /s/ mode=0644 / mode=4711 /' rootfs.mtree`}, `"etc/motd": mode is "4711", want "0644"`},
	{edit{"chmod of the root", `sed -i '/^\. /s/ mode=0755 / mode=1700 /' rootfs.mtree`}, `".": mode is "1700", want "0755"`},
	{edit{"touch", `sed -i '/^\.\/etc\/motd /s/ time=[^ ]*/ time=-5.000000006/' rootfs.mtree`}, `"etc/motd": mtime is "-5.000000006", want "6.000000000"`},
	{edit{"mknod", `sed -i '/^\.\/dev\/null /s/ device=.*/ device=linux,4,64/' rootfs.mtree`}, `"dev/null": device is "4,64", want "1,3"`},
	{edit{"setfattr", `sed -i 's/=bm90ZQ==/=bm90/' rootfs.mtree`}, `"etc/shadow": xattr.user.note is "not", want "note"`},
	{edit{"another order", "sort -r rootfs.mtree >x; mv x rootfs.mtree"}, ""},
	{edit{"drop", `rm rootfs/etc/motd; sed -i '/^\.\/etc\/motd /d' rootfs.mtree`}, `"etc/motd": missing`},
	{edit{"drop a name", `rm rootfs/bin/ash; sed -i '/^\.\/bin\/ash /d; s/ nlink=2//' rootfs.mtree`},
		`"bin/ash": missing` + "\n" + `"bin/sh": names is "[\"bin/sh\"]", want "[\"bin/ash\" \"bin/sh\"]"`},
	{edit{"add", `printf new >rootfs/etc/new
		echo './etc/new type=file uid=1 gid=2 mode=0640 size=3 time=5.000000006' >>rootfs.mtree`}, `"etc/new": should not be there`},
}

// TestEdited checks that the image follows edits of the manifest.
func TestEdited(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "mount", "umount")
	u := newUser(t, nobody)
	for _, populate := range []string{"mkfs", "direct"} {
		before := edit{}.tree(t, u, populate)
		for _, e := range edits {
			t.Run(populate+"/"+e.name, func(t *testing.T) {
				after := e.tree(t, u, populate)
				if got := strings.Join(differences(after, before), "\n"); got != e.differs {
					t.Errorf("got\n%s\nwant\n%s", got, e.differs)
				}
				if f := after["etc/new"]; e.name == "add" && (f["owner"] != "1:2" || f["mode"] != "0640" || f["size"] != "3" || f["mtime"] != "5.000000006") {
					t.Errorf("%v", f)
				}
			})
		}
	}
}

// TestContradictions checks that a tree and a manifest that disagree are an
// error that names the line, and that no image is made.
func TestContradictions(t *testing.T) {
	need(t, "mkfs.ext4")
	u := newUser(t, uint32(os.Getuid()))
	for _, c := range []struct {
		edit
		message string // the message after the bundle's path
	}{
		{edit{"no file", "rm rootfs/etc/motd"}, "rootfs.mtree:9: ./etc/motd: in the manifest, not in the tree"},
		{edit{"no line", `sed -i '/motd type/d' rootfs.mtree`}, "rootfs.mtree: ./etc/motd: in the tree, not in the manifest"},
		{edit{"no line for a directory", `sed -i '/^\.\/bin type/d' rootfs.mtree`}, "rootfs.mtree: line 3: parent is missing or not a directory"},
		{edit{"two lines", `echo './etc/motd type=fifo uid=0 gid=0 mode=0 time=0' >>rootfs.mtree`}, "rootfs.mtree: line 12: duplicate path"},
		{edit{"another type", "rm rootfs/etc/motd; mkdir rootfs/etc/motd"}, "rootfs.mtree:9: ./etc/motd: type=file, but dir in the tree"},
		{edit{"another size", "echo >>rootfs/etc/motd"}, "rootfs.mtree:9: ./etc/motd: size=6, but 7 in the tree"},
		{edit{"a device with content", "echo >>rootfs/dev/null"}, "rootfs.mtree:7: ./dev/null: size=0, but 1 in the tree"},
		{edit{"another target", "ln -sf /etc/motd rootfs/news"}, "rootfs.mtree:11: ./news: link=etc/motd, but /etc/motd in the tree"},
		{edit{"a name too few", "rm rootfs/bin/ash; echo sh >rootfs/bin/ash"}, "rootfs.mtree:4: ./bin/ash: nlink=2, but 1 in the tree"},
		{edit{"a name too many", "ln -f rootfs/etc/motd rootfs/motd; echo './motd type=file uid=0 gid=0 mode=0644 size=6 time=6.000000000' >>rootfs.mtree"},
			"rootfs.mtree:9: ./etc/motd: nlink=1, but 2 in the tree"},
		{edit{"a wrong count", "sed -i s/nlink=2/nlink=3/ rootfs.mtree"}, "rootfs.mtree:4: ./bin/ash: nlink=3, but 2 in the tree"},
		{edit{"two counts", `sed -i '/bin\/sh/s/nlink=2/nlink=3/' rootfs.mtree`}, "rootfs.mtree:5: ./bin/sh: differs from another line for the same file"},
		{edit{"two owners", `sed -i '/bin\/sh/s/uid=0/uid=1/' rootfs.mtree`}, "rootfs.mtree:5: ./bin/sh: differs from another line for the same file"},
		{edit{"no number", `sed -i '/motd type/s/uid=0/uid=root/' rootfs.mtree`}, "rootfs.mtree: line 9: uid=root: "},
	} {
		for _, populate := range []string{"mkfs", "direct"} {
			t.Run(populate+"/"+c.name, func(t *testing.T) {
				bundle := c.bundle(t, u)
				o := finish(t, u.command("banger-mkext4", "--populate="+populate, bundle))
				o.failed(t, []int{65}, "banger-mkext4: "+bundle+"/"+c.message)
				if _, err := os.Lstat(filepath.Join(bundle, "rootfs.ext4")); !os.IsNotExist(err) {
					t.Errorf("rootfs.ext4: %v", err)
				}
			})
		}
	}
}
