// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// plain returns the entries that the tests change.
func plain() []entry {
	return []entry{
		directory("."), directory("dir"), file("dir/f", "content"), file("g", "content"), special(tar.TypeChar, "dev", 1, 3),
		link(tar.TypeSymlink, "link", "dir/f"), file("a", "twice"), link(tar.TypeLink, "b", "a"), link(tar.TypeLink, "c", "a"),
		withXattrs(file("noted", ""), "user.a", "1", "user.empty", ""), withXattrs(file("listed", ""), "system.posix_acl_access", acl(undefined)),
		file("runs", noise(1, 8192)), file("last", noise(2, 4096)+"\x01"),
	}
}

// changed returns plain with one entry changed.
func changed(name string, change func(e *entry)) []entry {
	all := plain()
	i := slices.IndexFunc(all, func(e entry) bool { return e.Name == name })
	change(&all[i])
	return all
}

func without(names ...string) []entry {
	return slices.DeleteFunc(plain(), func(e entry) bool { return slices.Contains(names, e.Name) })
}

func with(more ...entry) []entry { return append(plain(), more...) }

func encoded(value string) Value { return valueOf(base64.StdEncoding.EncodeToString([]byte(value))) }

// One change of the tree is reported as one difference.
func TestDifferences(t *testing.T) {
	otherACL := strings.Replace(acl(undefined), "\xe8", "\xe9", 1)
	lostFound := directory("lost+found")
	lostFound.Mode, lostFound.ModTime = 0o700, created.Truncate(time.Second)
	for _, c := range []struct {
		name string
		have []entry
		want []Difference
	}{
		{"nothing", plain(), nil},
		{"an owner", changed("g", func(e *entry) { e.Uid = 1 << 31 }), []Difference{{"./g", "uid", valueOf("0"), valueOf("2147483648")}}},
		{"a group", changed("g", func(e *entry) { e.Gid = 65536 }), []Difference{{"./g", "gid", valueOf("0"), valueOf("65536")}}},
		{"a mode", changed("dir/", func(e *entry) { e.Mode = 0o1755 }), []Difference{{"./dir", "mode", valueOf("0755"), valueOf("1755")}}},
		{"a nanosecond", changed("link", func(e *entry) { e.ModTime = modified.Add(1) }),
			[]Difference{{"./link", "time", valueOf("1714975689.123456789"), valueOf("1714975689.123456790")}}},
		{"the root", changed("./", func(e *entry) { e.Mode = 0o700 }), []Difference{{".", "mode", valueOf("0755"), valueOf("0700")}}},
		{"a size", changed("last", func(e *entry) { e.content += "\x00" }), []Difference{{"./last", "size", valueOf("4097"), valueOf("4098")}}},
		{"a target", changed("link", func(e *entry) { e.Linkname = "dir/\n" }), []Difference{{"./link", "link", valueOf("dir/f"), valueOf(`dir/\012`)}}},
		{"a device", changed("dev", func(e *entry) { e.Devminor = 300 }), []Difference{{"./dev", "device", valueOf("linux,1,3"), valueOf("linux,1,300")}}},
		{"a device type", changed("dev", func(e *entry) { e.Typeflag = tar.TypeBlock }), []Difference{{"./dev", "type", valueOf("char"), valueOf("block")}}},
		{"a type", changed("g", func(e *entry) { *e = special(tar.TypeFifo, "g", 0, 0); e.Mode = 0o644 }),
			[]Difference{{"./g", "type", valueOf("file"), valueOf("fifo")}, {"./g", "size", valueOf("7"), Value{}}}},
		{"an xattr", changed("noted", func(e *entry) { *e = withXattrs(*e, "user.a", "2", "user.empty", "") }),
			[]Difference{{"./noted", "xattr.user.a", encoded("1"), encoded("2")}}},
		{"an extra xattr", changed("g", func(e *entry) { *e = withXattrs(*e, "user.\n", "1") }),
			[]Difference{{"./g", `xattr.user.\012`, Value{}, encoded("1")}}},
		{"a missing xattr", changed("noted", func(e *entry) { *e = withXattrs(*e, "user.empty", "") }),
			[]Difference{{"./noted", "xattr.user.a", encoded("1"), Value{}}}},
		{"an extra empty xattr", changed("g", func(e *entry) { *e = withXattrs(*e, "user.empty", "") }),
			[]Difference{{"./g", "xattr.user.empty", Value{}, valueOf("")}}},
		{"a missing empty xattr", changed("noted", func(e *entry) { *e = withXattrs(*e, "user.a", "1") }),
			[]Difference{{"./noted", "xattr.user.empty", valueOf(""), Value{}}}},
		{"an ACL", changed("listed", func(e *entry) { *e = withXattrs(*e, "system.posix_acl_access", otherACL) }),
			[]Difference{{"./listed", "xattr.system.posix_acl_access", encoded(acl(undefined)), encoded(otherACL)}}},
		{"a missing ACL", changed("listed", func(e *entry) { e.PAXRecords = nil }),
			[]Difference{{"./listed", "xattr.system.posix_acl_access", encoded(acl(undefined)), Value{}}}},
		{"an equivalent ACL", changed("listed", func(e *entry) { *e = withXattrs(*e, "system.posix_acl_access", acl("\x00\x00\x00\x00")) }), nil},
		{"content", changed("dir/f", func(e *entry) { e.content = "cOntent" }), []Difference{{Path: "./dir/f", What: Content}}},
		{"the last byte", changed("last", func(e *entry) { e.content = e.content[:4096] + "\x02" }), []Difference{{Path: "./last", What: Content}}},
		{"blocks swapped", changed("runs", func(e *entry) { e.content = e.content[4096:] + e.content[:4096] }), []Difference{{Path: "./runs", What: Content}}},
		{"a block of zeros", changed("runs", func(e *entry) { e.content = e.content[:4096] + strings.Repeat("\x00", 4096) }),
			[]Difference{{"./runs", Blocks, valueOf("2"), valueOf("1")}, {Path: "./runs", What: Content}}},
		{"a file split", changed("c", func(e *entry) { *e = file("c", "twice") }), []Difference{{"./c", Hardlink, valueOf("./a"), valueOf("./c")}}},
		{"files joined", changed("g", func(e *entry) { *e = link(tar.TypeLink, "g", "dir/f") }), []Difference{{"./g", Hardlink, valueOf("./g"), valueOf("./dir/f")}}},
		{"a name missing", without("g"), []Difference{{Path: "./g", What: Missing}}},
		{"a second name missing", without("c"), []Difference{{Path: "./c", What: Missing}}},
		{"the first name missing", append(without("a", "b", "c"), file("b", "twice"), link(tar.TypeLink, "c", "b")), []Difference{{Path: "./a", What: Missing}}},
		{"a directory missing", without("dir/", "dir/f", "link"), []Difference{{Path: "./dir", What: Missing}, {Path: "./link", What: Missing}}},
		{"an extra name", with(special(tar.TypeFifo, "dir/\xff", 0, 0)), []Difference{{Path: `./dir/\377`, What: Extra}}},
		{"an extra hard link", with(link(tar.TypeLink, "dir/a", "a")), []Difference{{Path: "./dir/a", What: Extra}}},
		{"lost+found in the layers", with(lostFound), nil},
		{"a file in lost+found", with(lostFound, file("lost+found/x", "")), []Difference{{Path: "./lost+found/x", What: Extra}}},
		{"the mode of lost+found", with(func() entry { e := lostFound; e.Mode = 0o755; return e }()),
			[]Difference{{"./lost+found", "mode", valueOf("0700"), valueOf("0755")}}},
		{"two differences", changed("g", func(e *entry) { e.Uid, e.content = 1, "CONTENT" }),
			[]Difference{{"./g", "uid", valueOf("0"), valueOf("1")}, {Path: "./g", What: Content}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bundle := flatten(t, oneLayer(c.have...).image(t))
			all, err := differences(t, ext4Of(t, bundle, direct), layersOf(oneLayer(plain()...).image(t)))
			if err != nil || !slices.Equal(all, c.want) {
				t.Errorf("%v\n%v, want\n%v", err, all, c.want)
			}
		})
	}
}

// A lost+found in the layers replaces the default one.
func TestLostFoundOfLayers(t *testing.T) {
	image := oneLayer(with(directory("lost+found"), file("lost+found/x", ""))...).image(t)
	all, err := differences(t, ext4Of(t, flatten(t, oneLayer(plain()...).image(t)), byMkfs), layersOf(image))
	want := []Difference{
		{"./lost+found", "mode", valueOf("0755"), valueOf("0700")},
		{"./lost+found", "time", valueOf("1714975689.123456789"), valueOf("1714979289.000000000")},
		{Path: "./lost+found/x", What: Missing},
	}
	if err != nil || !slices.Equal(all, want) {
		t.Errorf("%v\n%v, want\n%v", err, all, want)
	}
}

// A stored block of zeros is reported as the only difference of its file.
func TestStoredZeros(t *testing.T) {
	const hole = 4096
	zeros := strings.Repeat("\x00", hole)
	want := oneLayer(directory("."), file("f", noise(1, hole)+zeros+noise(3, 10)))
	have := oneLayer(directory("."), file("f", noise(1, hole)+noise(2, hole)+noise(3, 10)))
	image := ext4Of(t, flatten(t, have.image(t)), direct)
	overwrite(t, image, noise(2, hole), zeros)
	all, err := differences(t, image, layersOf(want.image(t)))
	if err != nil || !slices.Equal(all, []Difference{{"./f", Blocks, valueOf("2"), valueOf("3")}}) {
		t.Errorf("%v %v", err, all)
	}
}

// overwrite replaces the one occurrence of old in the image.
func overwrite(t testing.TB, image, old, replacement string) {
	t.Helper()
	raw, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(raw, []byte(old)) != 1 {
		t.Fatalf("%.20q found %d times", old, bytes.Count(raw, []byte(old)))
	}
	write(t, image, bytes.Replace(raw, []byte(old), []byte(replacement), 1))
}

// Hard links are compared across all names.
func TestLinksSwapped(t *testing.T) {
	pairs := func(b, c, d entry) fixture { return oneLayer(directory("."), file("a", "1"), b, c, d) }
	want := pairs(link(tar.TypeLink, "b", "a"), file("c", "1"), link(tar.TypeLink, "d", "c"))
	have := pairs(file("b", "1"), link(tar.TypeLink, "c", "a"), link(tar.TypeLink, "d", "b"))
	all, err := differences(t, ext4Of(t, flatten(t, have.image(t)), direct), layersOf(want.image(t)))
	if err != nil || !slices.Equal(all, []Difference{
		{"./b", Hardlink, valueOf("./a"), valueOf("./b")}, {"./c", Hardlink, valueOf("./c"), valueOf("./a")}, {"./d", Hardlink, valueOf("./c"), valueOf("./b")},
	}) {
		t.Errorf("%v %v", err, all)
	}
}

// A difference as text and as JSON.
func TestDifferenceText(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		d          Difference
		line, json string
	}{
		{Difference{What: Filesystem, Have: valueOf("damaged")}, "filesystem: damaged", `{"what":"filesystem","have":"damaged"}`},
		{Difference{Path: "./f", What: Missing}, "./f: missing from the image", `{"path":"./f","what":"missing"}`},
		{Difference{Path: "./f", What: Extra}, "./f: only in the image", `{"path":"./f","what":"extra"}`},
		{Difference{Path: "./f", What: Content}, "./f: content differs", `{"path":"./f","what":"content"}`},
		{Difference{"./f", "uid", valueOf("0"), valueOf("1")}, "./f: uid: expected 0, found 1", `{"path":"./f","what":"uid","want":"0","have":"1"}`},
		{Difference{"./f", "xattr.user.x", Value{}, valueOf("")}, "./f: xattr.user.x: expected none, found (empty)", `{"path":"./f","what":"xattr.user.x","have":""}`},
		{Difference{"./f", "link", valueOf(long), Value{}}, "./f: link: expected " + long[:77] + "..., found none", `{"path":"./f","what":"link","want":"` + long + `"}`},
		{Difference{"./f", Hardlink, valueOf("./a"), valueOf("./b")}, "./f: expected a hard link to ./a, found a hard link to ./b", `{"path":"./f","what":"hardlink","want":"./a","have":"./b"}`},
		{Difference{"./f", Hardlink, valueOf("./f"), valueOf("./b")}, "./f: expected a separate file, found a hard link to ./b", `{"path":"./f","what":"hardlink","want":"./f","have":"./b"}`},
	} {
		if got := c.d.String(); got != c.line {
			t.Errorf("%q, want %q", got, c.line)
		}
		if got, err := json.Marshal(c.d); err != nil || string(got) != c.json {
			t.Errorf("%s %v, want %s", got, err, c.json)
		}
	}
}
