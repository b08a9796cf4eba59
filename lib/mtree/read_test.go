// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"strconv"
	"strings"
	"testing"

	"banger/lib/status"
	"banger/lib/tree"
)

const root = ". type=dir uid=0 gid=0 mode=0755 time=0.000000000\n"

func TestReadByHand(t *testing.T) {
	m, err := Read(strings.NewReader("# edited\n\n" +
		"./d/f   time=5 mode=644\ttype=file gid=2 uid=1 size=3  \n" +
		"./d type=dir uid=0 gid=0 mode=0755 time=0.000000000\n" + root +
		"./\xc3\xa9 type=fifo uid=0 gid=0 mode=0600 time=-1.000000000"))
	if err != nil {
		t.Fatal(err)
	}
	f := m.Tree.Root.Lookup("d").Lookup("f")
	if f.UID != 1 || f.GID != 2 || f.Mode != 0o644 || f.Size != 3 || f.Sec != 5 || f.Type != tree.File {
		t.Errorf("%+v", f)
	}
	if p := m.Tree.Root.Lookup("\u00e9"); p == nil || p.Type != tree.Fifo {
		t.Error("unescaped byte above 127 not accepted")
	}
}

func TestReadRefuses(t *testing.T) {
	meta := " uid=0 gid=0 mode=0644 time=0.000000000"
	for _, c := range []struct{ line, want string }{
		{"./a type=file size=0" + meta + "\n./a type=file size=0" + meta, "line 3"},
		{strings.TrimSpace(root), "duplicate line for the root"},
		{"./no/a type=file size=0" + meta, "parent"},
		{"./f type=file size=0" + meta + "\n./f/a type=file size=0" + meta, "parent"},
		{"a type=file size=0" + meta, "path does not start with ./"},
		{"./a/../b type=file size=0" + meta, "path is not clean"},
		{"./a//b type=file size=0" + meta, "path is not clean"},
		{`./a\000 type=file size=0` + meta, "NUL"},
		{`./a\9 type=file size=0` + meta, "octal"},
		{"./" + strings.Repeat("a", 256) + " type=file size=0" + meta, "256 bytes"},
		{"./a type=file" + meta, "missing size="},
		{"./a type=link" + meta, "missing link="},
		{"./a type=char" + meta, "missing device="},
		{"./a" + meta, "missing type="},
		{"./a type=fifo size=1" + meta, "size= not allowed for type fifo"},
		{"./a type=door" + meta, "unknown type"},
		{"./a type=file size=0 sha256=00" + meta, "unknown keyword"},
		{"./a type=file size=0 uid=1" + meta, "duplicate keyword"},
		{"./a type=file size=-1" + meta, "negative"},
		{"./a type=fifo uid=4294967295 gid=0 mode=0 time=0", "range"},
		{"./a type=fifo uid=-1 gid=0 mode=0 time=0", "uid=-1"},
		{"./a type=fifo uid=0 gid=0 mode=10000 time=0", "range"},
		{"./a type=fifo uid=0 gid=0 mode=0 time=0.5", "nine digits"},
		{"./a type=dir nlink=2" + meta, "nlink"},
		{"./a type=file size=0 nlink=65001" + meta, "range"},
		{"./a type=char device=linux,4096,0" + meta, "range"},
		{"./a type=char device=linux,0,1048576" + meta, "range"},
		{"./a type=char device=1,3" + meta, "linux,MAJOR,MINOR"},
		{"./a type=link link=" + meta, "target"},
		{"./a type=link link=" + strings.Repeat("a", 4096) + meta, "target"},
		{"./a type=fifo xattr.user.a=!" + meta, "base64"},
	} {
		_, err := Read(strings.NewReader(root + c.line + "\n"))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%.60s: %v; want %s", c.line, err, c.want)
		}
		if status.Of(err) != status.Bad {
			t.Errorf("%.60s: status %d", c.line, status.Of(err))
		}
	}
	if _, err := Read(strings.NewReader("")); err == nil {
		t.Error("empty manifest accepted")
	}
}

// Errors about numbers do not mention strconv.
func TestReadNumber(t *testing.T) {
	_, err := Read(strings.NewReader(root + "./a type=fifo uid=-1"))
	if want := "line 2: uid=-1: invalid syntax"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// Errors about long lines are short.
func TestReadLongLine(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for _, line := range []string{long, "./a/../" + long, "./a " + long, "./a xattr.user.a=!" + long} {
		_, err := Read(strings.NewReader(root + line))
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%.20s: %.300v", line, err)
		}
	}
}

// A line of any white space is empty.
func TestReadBlankLines(t *testing.T) {
	for _, blank := range []string{"", " ", "\t \t", "\r", "\v\f"} {
		t.Run(strconv.Quote(blank), func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Error(r)
				}
			}()
			if _, err := Read(strings.NewReader(root + blank + "\n")); err != nil {
				t.Error(err)
			}
		})
	}
}

// An attribute in two spellings is a duplicate.
func TestReadXattrTwice(t *testing.T) {
	line := `./a type=file size=0 uid=0 gid=0 mode=0 time=0 xattr.user.a=MQ== xattr.user.\141=Mg==`
	if _, err := Read(strings.NewReader(root + line)); err == nil {
		t.Error("user.a with two values accepted")
	}
}

// Times out of range of ext4 are rejected.
func TestReadTimeRange(t *testing.T) {
	for _, time := range []string{"-2147483649", "15032385536", "9223372036854775807"} {
		if _, err := Read(strings.NewReader(root + "./a type=fifo uid=0 gid=0 mode=0 time=" + time)); err == nil {
			t.Errorf("time=%s", time)
		}
	}
}

// FuzzRead: a manifest that Read accepts is the same after Write and Read.
func FuzzRead(f *testing.F) {
	f.Add(golden)
	for _, line := range strings.SplitAfter(golden, "\n")[2:] {
		f.Add(root + line)
	}
	f.Add(root + "./a type=block device=linux,8,0 uid=1 gid=2 mode=660 time=-1.5 xattr.a=")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		once := write(t, m.Tree)
		again, err := Read(strings.NewReader(once))
		if err != nil {
			t.Fatalf("read %q, wrote %q: %v", text, once, err)
		}
		if twice := write(t, again.Tree); twice != once {
			t.Errorf("read %q, wrote %q, then %q", text, once, twice)
		}
	})
}
