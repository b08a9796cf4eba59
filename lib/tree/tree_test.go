// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"slices"
	"strings"
	"testing"
)

func TestLink(t *testing.T) {
	s := New(Inode{})
	d := dirIn(s.Root, "d")
	f := &Inode{Type: File}
	d.Put("f", f, nil)
	if err := s.Root.Link("g", f, nil); err != nil || f.Nlink != 2 {
		t.Errorf("a second name: %v, nlink %d", err, f.Nlink)
	}
	if err := s.Root.Link("g", f, nil); err != nil || f.Nlink != 2 {
		t.Errorf("the same name again: %v, nlink %d", err, f.Nlink)
	}
	if err := s.Root.Link("x", nil, nil); err == nil {
		t.Error("a link to nothing")
	}
	if err := s.Root.Link("x", d, nil); err == nil {
		t.Error("a link to a directory")
	}
	f.Nlink = MaxLinks
	if err := s.Root.Link("x", f, nil); err == nil {
		t.Error("65,001 names")
	}
}

func TestRemove(t *testing.T) {
	s := New(Inode{})
	d := dirIn(dirIn(s.Root, "a"), "b")
	f := &Inode{Type: File}
	d.Put("f", f, nil)
	d.Put("g", &Inode{Type: File}, nil)
	s.Root.Link("h", f, nil)
	var gone []string
	hear := func(path string) { gone = append(gone, path) }
	s.Root.Remove("none", hear)
	s.Root.Remove("a", hear)
	if want := []string{"a/b/f", "a/b/g", "a/b", "a"}; !slices.Equal(gone, want) {
		t.Errorf("removed %q, want %q", gone, want)
	}
	if f.Nlink != 1 || s.Root.Lookup("h") != f || s.Root.Len() != 1 {
		t.Errorf("nlink %d, left %q", f.Nlink, s.Root.Names())
	}
}

// Walk visits names in bytewise order, a directory before its entries.
func TestWalk(t *testing.T) {
	s := New(Inode{})
	for _, name := range []string{"b", "a.b", "a", "\xff", "B"} {
		dirIn(dirIn(s.Root, name), "x")
	}
	var all []string
	s.Walk(func(dir *Inode, name string, _ *Inode) error {
		if dir != nil {
			name = dir.Join(name)
		}
		all = append(all, name)
		return nil
	})
	if want := " B B/x a a/x a.b a.b/x b b/x \xff \xff/x"; strings.Join(all, " ") != want {
		t.Errorf("%q, want %q", all, want)
	}
}

// Settable matches what setxattr(2) accepts (xattr(7)).
func TestSettable(t *testing.T) {
	for _, c := range []struct {
		name string
		on   []Type
	}{
		{"user.a", []Type{File, Dir}},
		{"trusted.a", []Type{File, Dir, Symlink, Char, Block, Fifo, Socket}},
		{"security.capability", []Type{File, Dir, Symlink, Char, Block, Fifo, Socket}},
		{ACLAccess, []Type{File, Dir, Char, Block, Fifo, Socket}},
		{ACLDefault, []Type{Dir}},
		{"user.", nil}, {"user", nil}, {"", nil}, {"btrfs.compression", nil}, {"system.other", nil},
		{"user.a\x00b", nil}, {"user." + strings.Repeat("a", 251), nil},
	} {
		for _, typ := range []Type{File, Dir, Symlink, Char, Block, Fifo, Socket} {
			if got, want := Settable(typ, c.name), slices.Contains(c.on, typ); got != want {
				t.Errorf("Settable(%v, %q) = %v", typ, c.name, got)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	for typ := File; typ <= Socket; typ++ {
		if got, ok := ParseType(typ.String()); !ok || got != typ {
			t.Errorf("ParseType(%v) = %v", typ, got)
		}
		if got, ok := TypeOf(uint32(typ.Mode()) | 0o7777); !ok || got != typ {
			t.Errorf("TypeOf the mode of %v = %v", typ, got)
		}
	}
	if _, ok := TypeOf(0); ok {
		t.Error("a mode without a type has one")
	}
}
