// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", ""}, {".", ""}, {"/", ""}, {"//./", ""}, {"..", ""}, {"../../..", ""}, {"a/..", ""},
		{"a", "a"}, {"./a", "a"}, {"/a", "a"}, {"a//", "a"}, {"a/./b", "a b"}, {"../a", "a"},
		{"a/../b", "b"}, {"a/b/../../c", "c"}, {"a/../../b", "b"},
		{"...", "..."}, {"..a/.b", "..a .b"}, {"a\nb/\xff", "a\nb \xff"},
	} {
		got, err := Split(c.name)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("Split(%q) = %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for what, name := range map[string]string{
		"a NUL": "a\x00b", "a component of 256 bytes": strings.Repeat("a", 256),
		"a name over 64 KiB": strings.Repeat("/", 64<<10+1),
	} {
		if got, err := Split(name); err == nil {
			t.Errorf("Split of %s: no error, but %d parts", what, len(got))
		}
	}
}

// FuzzSplit: the result is a clean path, which splits into the same components.
func FuzzSplit(f *testing.F) {
	for _, name := range []string{"", "a/../../b", "/./x//y/", "\xff\n/.../.."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		parts, err := Split(name)
		if err != nil {
			return
		}
		for _, part := range parts {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\x00") || len(part) > maxName {
				t.Errorf("Split(%q) has %q", name, part)
			}
		}
		again, err := Split("/" + strings.Join(parts, "/"))
		if err != nil || !slices.Equal(again, parts) {
			t.Errorf("Split(%q) = %q, and again %q, %v", name, parts, again, err)
		}
	})
}

// sample returns a tree of usr/lib/, etc/f and symlinks.
func sample() *Tree {
	t := New(Inode{Mode: 0o755})
	usr := dirIn(t.Root, "usr")
	dirIn(usr, "lib")
	etc := dirIn(t.Root, "etc")
	etc.Put("f", &Inode{Type: File}, nil)
	for name, target := range map[string]string{
		"lib": "usr/lib", "abs": "/usr", "up": "../../usr/./lib/..", "ring": "ring", "dangling": "none/at/all",
		"tofile": "etc/f", "a": "b", "b": "/lib",
	} {
		t.Root.Put(name, &Inode{Type: Symlink, Target: target}, nil)
	}
	usr.Put("back", &Inode{Type: Symlink, Target: "../etc"}, nil)
	return t
}

func dirIn(in *Inode, name string) *Inode {
	n := &Inode{Type: Dir}
	in.Put(name, n, nil)
	return n
}

func TestDir(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"", ""}, {"usr/lib", "usr/lib"}, {"lib", "usr/lib"}, {"abs/lib", "usr/lib"}, {"up", "usr"},
		{"a", "usr/lib"}, {"usr/back", "etc"}, {"abs/back", "etc"}, {"up/back", "etc"},
	} {
		got, err := sample().Dir(strings.FieldsFunc(c.path, slash), nil)
		if err != nil || got == nil || got.Path() != c.want {
			t.Errorf("Dir(%s) = %v, %v; want %s", c.path, got, err, c.want)
		}
	}
	for _, path := range []string{"none", "usr/none/x", "dangling"} {
		if got, err := sample().Dir(strings.FieldsFunc(path, slash), nil); got != nil || err != nil {
			t.Errorf("Dir(%s) = %v, %v; want nothing", path, got, err)
		}
	}
	for _, path := range []string{"etc/f", "etc/f/x", "tofile"} {
		if _, err := sample().Dir(strings.FieldsFunc(path, slash), nil); !errors.Is(err, ErrNotDir) {
			t.Errorf("Dir(%s): %v", path, err)
		}
	}
	if _, err := sample().Dir([]string{"ring"}, nil); err == nil || errors.Is(err, ErrNotDir) {
		t.Errorf("Dir(ring): %v", err)
	}
}

func slash(r rune) bool { return r == '/' }

func TestDirMakesWhatIsMissing(t *testing.T) {
	s := sample()
	made := 0
	got, err := s.Dir([]string{"dangling", "x"}, func() (*Inode, error) { made++; return &Inode{Type: Dir}, nil })
	if err != nil || got.Path() != "none/at/all/x" || made != 4 {
		t.Errorf("%v, %v, %d directories made", got, err, made)
	}
}

func TestFind(t *testing.T) {
	s := sample()
	for path, want := range map[string]*Inode{
		"":          s.Root,
		"lib":       s.Root.Lookup("lib"), // the last component is not followed
		"up/back/f": s.Root.Lookup("etc").Lookup("f"),
		"none":      nil,
		"none/x":    nil,
		"ring":      s.Root.Lookup("ring"),
	} {
		got, err := s.Find(strings.FieldsFunc(path, slash))
		if err != nil || got != want {
			t.Errorf("Find(%s) = %v, %v", path, got, err)
		}
	}
}

// FuzzResolve: with any symlinks, resolution ends, and ends in the tree.
func FuzzResolve(f *testing.F) {
	f.Add("a/b", "../b", "/c/../../a", "x/y")
	f.Add("a", "a", "b", "c")
	f.Add("s1/s2/s3", "s2/..", "s3/../s1", "/s1/..//")
	f.Fuzz(func(t *testing.T, path, to1, to2, to3 string) {
		s := New(Inode{})
		d := dirIn(s.Root, "d")
		for i, to := range []string{to1, to2, to3} {
			name := "s" + string(rune('1'+i))
			s.Root.Put(name, &Inode{Type: Symlink, Target: to}, nil)
			d.Put(name, &Inode{Type: Symlink, Target: to}, nil)
		}
		parts, err := Split(path)
		if err != nil {
			return
		}
		got, err := s.Dir(parts, func() (*Inode, error) { return &Inode{Type: Dir}, nil })
		if err != nil {
			return
		}
		in := false
		s.Walk(func(_ *Inode, _ string, n *Inode) error {
			in = in || n == got
			return nil
		})
		if !in || got.Type != Dir {
			t.Errorf("Dir(%q) with %q %q %q: %+v is no directory of the tree", path, to1, to2, to3, got)
		}
	})
}
