// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"banger/lib/input"
	"banger/lib/tree"
)

// golden is the example of doc/design.md.
const golden = `#mtree v2.0
. type=dir uid=0 gid=0 mode=0755 time=1700000000.000000000
./dev type=dir uid=0 gid=0 mode=0755 time=1700000000.000000000
./dev/null type=char uid=0 gid=0 mode=0666 time=1700000000.000000000 device=linux,1,3
./usr type=dir uid=0 gid=0 mode=0755 time=1700000000.000000000
./usr/bin type=dir uid=0 gid=0 mode=0755 time=1700000000.000000000
./usr/bin/perl type=file uid=0 gid=0 mode=0755 nlink=2 size=4018368 time=1690000000.123456789
./usr/bin/perl5 type=file uid=0 gid=0 mode=0755 nlink=2 size=4018368 time=1690000000.123456789
./usr/bin/ping type=file uid=0 gid=0 mode=0755 size=90568 time=1690000000.000000000 xattr.security.capability=AQAAAgAgAAAAAAAAAAAAAAAAAAA=
./usr/bin/sudo type=file uid=0 gid=0 mode=4755 size=281624 time=1690000000.000000000
./usr/lib type=dir uid=0 gid=0 mode=0755 time=1700000000.000000000
./usr/lib/odd\040name\012 type=link uid=0 gid=0 mode=0777 link=../x time=1690000000.000000000
`

func goldenTree() *tree.Tree {
	dir := tree.Inode{Type: tree.Dir, Mode: 0o755, Sec: 1700000000}
	t := tree.New(dir)
	in := func(d *tree.Inode, name string, n tree.Inode) *tree.Inode {
		d.Put(name, &n, nil)
		return &n
	}
	in(in(t.Root, "dev", dir), "null", tree.Inode{Type: tree.Char, Mode: 0o666, Sec: 1700000000, Major: 1, Minor: 3})
	usr := in(t.Root, "usr", dir)
	bin := in(usr, "bin", dir)
	perl := in(bin, "perl", tree.Inode{Mode: 0o755, Size: 4018368, Sec: 1690000000, Nsec: 123456789})
	if err := bin.Link("perl5", perl, nil); err != nil {
		panic(err)
	}
	capability := "\x01\x00\x00\x02\x00\x20" + strings.Repeat("\x00", 14)
	in(bin, "ping", tree.Inode{Mode: 0o755, Size: 90568, Sec: 1690000000,
		Xattrs: []tree.Xattr{{Name: "security.capability", Value: capability}}})
	in(bin, "sudo", tree.Inode{Mode: 0o4755, Size: 281624, Sec: 1690000000})
	in(in(usr, "lib", dir), "odd name\n", tree.Inode{Type: tree.Symlink, Mode: 0o777, Target: "../x", Sec: 1690000000})
	return t
}

func write(t testing.TB, of *tree.Tree) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, of); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	if got := write(t, goldenTree()); got != golden {
		t.Errorf("got\n%swant\n%s", got, golden)
	}
	m, err := Read(strings.NewReader(golden))
	if err != nil {
		t.Fatal(err)
	}
	bin := m.Tree.Root.Lookup("usr").Lookup("bin")
	if len(m.Links) != 2 || m.Links[bin.Lookup("perl")] != 2 || m.Links[bin.Lookup("perl5")] != 2 {
		t.Errorf("links: %v", m.Links)
	}
	// Link them again, as the tree on disk of a bundle does.
	if err := bin.Link("perl5", bin.Lookup("perl"), nil); err != nil {
		t.Fatal(err)
	}
	if got := write(t, m.Tree); got != golden {
		t.Errorf("read and written again:\n%s", got)
	}
}

// Nanoseconds count up from the seconds, even before 1970.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		sec  int64
		nsec uint32
		want string
	}{
		{0, 0, "0.000000000"}, {1, 1, "1.000000001"}, {-1, 500000000, "-1.500000000"}, {-1 << 31, 999999999, "-2147483648.999999999"},
	} {
		if got := Time(c.sec, c.nsec); got != c.want {
			t.Errorf("Time(%d, %d) = %s", c.sec, c.nsec, got)
		}
		if sec, nsec, err := parseTime(c.want); sec != c.sec || nsec != c.nsec || err != nil {
			t.Errorf("parseTime(%s) = %d, %d, %v", c.want, sec, nsec, err)
		}
	}
}

func TestEscape(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	escaped := Escape(string(all))
	for i := range len(escaped) {
		if c := escaped[i]; c != '\\' && !plain(c) {
			t.Errorf("not escaped: %q", c)
		}
	}
	if got, err := unescape(escaped); got != string(all) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got := Escape("aZ09._/,@%+-"); got != "aZ09._/,@%+-" {
		t.Errorf("escaped without need: %s", got)
	}
	for _, bad := range []string{`\`, `\0`, `\00`, `\008`, `\400`, `\n`} {
		if got, err := unescape(bad); err == nil {
			t.Errorf("unescape(%s) = %q", bad, got)
		}
	}
}

// Names whose order changes with a slash or an escape after them.
func TestSorted(t *testing.T) {
	sort, err := exec.LookPath("sort")
	if err != nil {
		t.Skip(err)
	}
	s := tree.New(tree.Inode{})
	for _, name := range []string{"a", "a b", "a-b", "a.b", "a0", "a\xff", "a\\", "A", "ab", "a\n", "z", "~", "!"} {
		d := &tree.Inode{Type: tree.Dir}
		s.Root.Put(name, d, nil)
		for _, sub := range []string{"x", "-", " ", "\xff"} {
			d.Put(sub, &tree.Inode{Type: tree.File}, nil)
		}
	}
	text := write(t, s)
	cmd := exec.Command(sort, "-c")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("LC_ALL=C sort -c: %v %s\n%s", err, out, text)
	}
}

// A manifest that is too large is neither written nor read.
func TestLimit(t *testing.T) {
	m, err := Read(strings.NewReader(golden))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Write(&text, m.Tree); err != nil {
		t.Fatal(err)
	}
	size := int64(text.Len())
	if _, err := read(strings.NewReader(text.String()), size); err != nil {
		t.Error(err)
	}
	if err := Write(&limited{io.Discard, size}, m.Tree); err != nil {
		t.Error(err)
	}
	if _, err := read(strings.NewReader(text.String()), size-1); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
	if err := Write(&limited{io.Discard, size - 1}, m.Tree); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
}

// The longest line that a layer can produce can be read.
func TestLongLine(t *testing.T) {
	top := tree.New(tree.Inode{})
	n := &tree.Inode{Type: tree.File}
	for size := 0; size < 4<<20; size += 255 { // each in its own pax record
		n.Xattrs = append(n.Xattrs, tree.Xattr{Name: "user." + strings.Repeat("\x01", 250)})
	}
	for i := range n.Xattrs {
		n.Xattrs[i].Name = n.Xattrs[i].Name[:245] + strconv.Itoa(10000+i)
	}
	top.Root.Put("x", n, nil)
	var text bytes.Buffer
	if err := Write(&text, top); err != nil {
		t.Fatal(err)
	}
	if longest := text.Len(); longest < 15<<20 {
		t.Errorf("only %d bytes", longest)
	}
	lines := input.NewLines(&text, maxLine)
	for range 3 {
		if _, err := lines.Next(); err != nil {
			t.Error(err)
		}
	}
}
