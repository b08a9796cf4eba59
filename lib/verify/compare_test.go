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

// plain is the image that others differ from.
func plain() []entry {
	return []entry{
		directory("."), directory("dir"), file("dir/f", "content"), file("g", "content"), special(tar.TypeChar, "dev", 1, 3),
		link(tar.TypeSymlink, "link", "dir/f"), file("a", "twice"), link(tar.TypeLink, "b", "a"), link(tar.TypeLink, "c", "a"),
		noted(file("noted", ""), "user.a", "1", "user.empty", ""), noted(file("listed", ""), "system.posix_acl_access", acl(undefined)),
		file("runs", noise(1, 8192)), file("last", noise(2, 4096)+"\x01"),
	}
}

// but is the plain image with one entry changed.
func but(name string, change func(e *entry)) []entry {
	all := plain()
	i := slices.IndexFunc(all, func(e entry) bool { return e.Name == name })
	change(&all[i])
	return all
}

func without(names ...string) []entry {
	return slices.DeleteFunc(plain(), func(e entry) bool { return slices.Contains(names, e.Name) })
}

func with(more ...entry) []entry { return append(plain(), more...) }

func encoded(value string) Value { return said(base64.StdEncoding.EncodeToString([]byte(value))) }

// An image that is made of a tree that differs in one thing differs in that, and
// in nothing else.
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
		{"an owner", but("g", func(e *entry) { e.Uid = 1 << 31 }), []Difference{{"./g", "uid", said("0"), said("2147483648")}}},
		{"a group", but("g", func(e *entry) { e.Gid = 65536 }), []Difference{{"./g", "gid", said("0"), said("65536")}}},
		{"a mode", but("dir/", func(e *entry) { e.Mode = 0o1755 }), []Difference{{"./dir", "mode", said("0755"), said("1755")}}},
		{"a nanosecond", but("link", func(e *entry) { e.ModTime = modified.Add(1) }),
			[]Difference{{"./link", "time", said("1714975689.123456789"), said("1714975689.123456790")}}},
		{"the root", but("./", func(e *entry) { e.Mode = 0o700 }), []Difference{{".", "mode", said("0755"), said("0700")}}},
		{"a size", but("last", func(e *entry) { e.content += "\x00" }), []Difference{{"./last", "size", said("4097"), said("4098")}}},
		{"a target", but("link", func(e *entry) { e.Linkname = "dir/\n" }), []Difference{{"./link", "link", said("dir/f"), said(`dir/\012`)}}},
		{"a device", but("dev", func(e *entry) { e.Devminor = 300 }), []Difference{{"./dev", "device", said("linux,1,3"), said("linux,1,300")}}},
		{"a kind of device", but("dev", func(e *entry) { e.Typeflag = tar.TypeBlock }), []Difference{{"./dev", "type", said("char"), said("block")}}},
		{"a type", but("g", func(e *entry) { *e = special(tar.TypeFifo, "g", 0, 0); e.Mode = 0o644 }),
			[]Difference{{"./g", "type", said("file"), said("fifo")}, {"./g", "size", said("7"), Value{}}}},
		{"an attribute", but("noted", func(e *entry) { *e = noted(*e, "user.a", "2", "user.empty", "") }),
			[]Difference{{"./noted", "xattr.user.a", encoded("1"), encoded("2")}}},
		{"an attribute more", but("g", func(e *entry) { *e = noted(*e, "user.\n", "1") }),
			[]Difference{{"./g", `xattr.user.\012`, Value{}, encoded("1")}}},
		{"an attribute less", but("noted", func(e *entry) { *e = noted(*e, "user.empty", "") }),
			[]Difference{{"./noted", "xattr.user.a", encoded("1"), Value{}}}},
		{"an empty attribute more", but("g", func(e *entry) { *e = noted(*e, "user.empty", "") }),
			[]Difference{{"./g", "xattr.user.empty", Value{}, said("")}}},
		{"an empty attribute less", but("noted", func(e *entry) { *e = noted(*e, "user.a", "1") }),
			[]Difference{{"./noted", "xattr.user.empty", said(""), Value{}}}},
		{"an ACL", but("listed", func(e *entry) { *e = noted(*e, "system.posix_acl_access", otherACL) }),
			[]Difference{{"./listed", "xattr.system.posix_acl_access", encoded(acl(undefined)), encoded(otherACL)}}},
		{"an ACL less", but("listed", func(e *entry) { e.PAXRecords = nil }),
			[]Difference{{"./listed", "xattr.system.posix_acl_access", encoded(acl(undefined)), Value{}}}},
		{"an ACL that says the same", but("listed", func(e *entry) { *e = noted(*e, "system.posix_acl_access", acl("\x00\x00\x00\x00")) }), nil},
		{"a content", but("dir/f", func(e *entry) { e.content = "cOntent" }), []Difference{{Path: "./dir/f", What: Content}}},
		{"the last byte of a content", but("last", func(e *entry) { e.content = e.content[:4096] + "\x02" }), []Difference{{Path: "./last", What: Content}}},
		{"blocks exchanged", but("runs", func(e *entry) { e.content = e.content[4096:] + e.content[:4096] }), []Difference{{Path: "./runs", What: Content}}},
		{"a block of zeros", but("runs", func(e *entry) { e.content = e.content[:4096] + strings.Repeat("\x00", 4096) }),
			[]Difference{{"./runs", Blocks, said("2"), said("1")}, {Path: "./runs", What: Content}}},
		{"a file split", but("c", func(e *entry) { *e = file("c", "twice") }), []Difference{{"./c", SameAs, said("./a"), said("./c")}}},
		{"files joined", but("g", func(e *entry) { *e = link(tar.TypeLink, "g", "dir/f") }), []Difference{{"./g", SameAs, said("./g"), said("./dir/f")}}},
		{"a name missing", without("g"), []Difference{{Path: "./g", What: Missing}}},
		{"a second name missing", without("c"), []Difference{{Path: "./c", What: Missing}}},
		{"the first name missing", append(without("a", "b", "c"), file("b", "twice"), link(tar.TypeLink, "c", "b")), []Difference{{Path: "./a", What: Missing}}},
		{"a directory missing", without("dir/", "dir/f", "link"), []Difference{{Path: "./dir", What: Missing}, {Path: "./link", What: Missing}}},
		{"a name more", with(special(tar.TypeFifo, "dir/\xff", 0, 0)), []Difference{{Path: `./dir/\377`, What: More}}},
		{"another name of a file", with(link(tar.TypeLink, "dir/a", "a")), []Difference{{Path: "./dir/a", What: More}}},
		{"lost+found that the layers name", with(lostFound), nil},
		{"something in lost+found", with(lostFound, file("lost+found/x", "")), []Difference{{Path: "./lost+found/x", What: More}}},
		{"the mode of lost+found", with(func() entry { e := lostFound; e.Mode = 0o755; return e }()),
			[]Difference{{"./lost+found", "mode", said("0700"), said("0755")}}},
		{"two things", but("g", func(e *entry) { e.Uid, e.content = 1, "CONTENT" }),
			[]Difference{{"./g", "uid", said("0"), said("1")}, {Path: "./g", What: Content}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bundle := flattened(t, of(c.have...).image(t))
			all, err := differences(t, ext4Of(t, bundle, direct), layersOf(of(plain()...).image(t)))
			if err != nil || !slices.Equal(all, c.want) {
				t.Errorf("%v\n%v, want\n%v", err, all, c.want)
			}
		})
	}
}

// A layer that names lost+found wants it as it says.
func TestLostFoundOfLayers(t *testing.T) {
	image := of(with(directory("lost+found"), file("lost+found/x", ""))...).image(t)
	all, err := differences(t, ext4Of(t, flattened(t, of(plain()...).image(t)), byMkfs), layersOf(image))
	want := []Difference{
		{"./lost+found", "mode", said("0755"), said("0700")},
		{"./lost+found", "time", said("1714975689.123456789"), said("1714979289.000000000")},
		{Path: "./lost+found/x", What: Missing},
	}
	if err != nil || !slices.Equal(all, want) {
		t.Errorf("%v\n%v, want\n%v", err, all, want)
	}
}

// Zeros that take a block are told, and nothing else of the file.
func TestStoredZeros(t *testing.T) {
	const hole = 4096
	zeros := strings.Repeat("\x00", hole)
	want := of(directory("."), file("f", noise(1, hole)+zeros+noise(3, 10)))
	have := of(directory("."), file("f", noise(1, hole)+noise(2, hole)+noise(3, 10)))
	image := ext4Of(t, flattened(t, have.image(t)), direct)
	overwrite(t, image, noise(2, hole), zeros)
	all, err := differences(t, image, layersOf(want.image(t)))
	if err != nil || !slices.Equal(all, []Difference{{"./f", Blocks, said("2"), said("3")}}) {
		t.Errorf("%v %v", err, all)
	}
}

// overwrite writes something else where the image has something.
func overwrite(t testing.TB, image, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(raw, []byte(old)) != 1 {
		t.Fatalf("%.20q is there %d times", old, bytes.Count(raw, []byte(old)))
	}
	write(t, image, bytes.Replace(raw, []byte(old), []byte(new), 1))
}

// Which file a name is, is compared over all names.
func TestLinksExchanged(t *testing.T) {
	pairs := func(b, c, d entry) fixture { return of(directory("."), file("a", "1"), b, c, d) }
	want := pairs(link(tar.TypeLink, "b", "a"), file("c", "1"), link(tar.TypeLink, "d", "c"))
	have := pairs(file("b", "1"), link(tar.TypeLink, "c", "a"), link(tar.TypeLink, "d", "b"))
	all, err := differences(t, ext4Of(t, flattened(t, have.image(t)), direct), layersOf(want.image(t)))
	if err != nil || !slices.Equal(all, []Difference{
		{"./b", SameAs, said("./a"), said("./b")}, {"./c", SameAs, said("./c"), said("./a")}, {"./d", SameAs, said("./c"), said("./b")},
	}) {
		t.Errorf("%v %v", err, all)
	}
}

// What a difference says, to a reader and to a program.
func TestDifferenceSaid(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		d          Difference
		line, json string
	}{
		{Difference{What: Filesystem, Have: said("damaged")}, "filesystem: damaged", `{"what":"filesystem","have":"damaged"}`},
		{Difference{Path: "./f", What: Missing}, "./f: not in the image", `{"path":"./f","what":"missing"}`},
		{Difference{Path: "./f", What: More}, "./f: in the image alone", `{"path":"./f","what":"more"}`},
		{Difference{Path: "./f", What: Content}, "./f: its content is another in the image", `{"path":"./f","what":"content"}`},
		{Difference{"./f", "uid", said("0"), said("1")}, "./f: uid=0, 1 in the image", `{"path":"./f","what":"uid","want":"0","have":"1"}`},
		{Difference{"./f", "xattr.user.x", Value{}, said("")}, "./f: xattr.user.x=none, (empty) in the image", `{"path":"./f","what":"xattr.user.x","have":""}`},
		{Difference{"./f", "link", said(long), Value{}}, "./f: link=" + long[:77] + "..., none in the image", `{"path":"./f","what":"link","want":"` + long + `"}`},
		{Difference{"./f", SameAs, said("./a"), said("./b")}, "./f: one file with ./a, one file with ./b in the image", `{"path":"./f","what":"inode","want":"./a","have":"./b"}`},
		{Difference{"./f", SameAs, said("./f"), said("./b")}, "./f: a file of its own, one file with ./b in the image", `{"path":"./f","what":"inode","want":"./f","have":"./b"}`},
	} {
		if got := c.d.String(); got != c.line {
			t.Errorf("%q, want %q", got, c.line)
		}
		if got, err := json.Marshal(c.d); err != nil || string(got) != c.json {
			t.Errorf("%s %v, want %s", got, err, c.json)
		}
	}
}
