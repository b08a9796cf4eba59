// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
	"banger/lib/tree"
)

// edit edits the manifest of a bundle.
func edit(from, to string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, ManifestFile)
		text := read(t, path)
		if !strings.Contains(text, from) {
			t.Fatalf("no %q in the manifest", from)
		}
		write(t, path, strings.Replace(text, from, to, 1))
	}
}

// change changes the tree of a bundle.
func change(f func(root string) error) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := f(filepath.Join(dir, TreeDir)); err != nil {
			t.Fatal(err)
		}
	}
}

// A mismatch between tree and manifest is an error that names the line.
func TestOpenMismatches(t *testing.T) {
	f := newFixture(t, sample(t))
	image := f.image(t)
	for _, c := range []struct {
		name string
		do   func(t *testing.T, dir string)
		want string
	}{
		{"a path that is not in the tree", change(func(root string) error {
			return os.Remove(filepath.Join(root, "dir/shadow"))
		}), "rootfs.mtree:4: ./dir/shadow: "},
		{"a path without a line", change(func(root string) error {
			return os.WriteFile(filepath.Join(root, "dir/new name"), nil, 0o600)
		}), `rootfs.mtree: ./dir/new\040name: `},
		{"a line taken away", edit(`./odd\040name\012`, "#"), `./odd\040name\012: `},
		{"another size", edit("size=10", "size=11"), "rootfs.mtree:4: ./dir/shadow: size=11, but 10"},
		{"another size, a line spelled by hand", edit("./dir/shadow type=file uid=0 gid=42 mode=0000 size=10", "\t./dir/sh\\141dow\tsize=11 type=file uid=0 gid=42 mode=0"),
			"rootfs.mtree:4: ./dir/shadow: size=11, but 10"},
		{"another content size", change(func(root string) error {
			return os.WriteFile(filepath.Join(root, "null"), []byte("x"), 0o600)
		}), "rootfs.mtree:8: ./null: "},
		{"another type", change(func(root string) error {
			return errors.Join(os.Remove(filepath.Join(root, "null")), os.Mkdir(filepath.Join(root, "null"), 0o700))
		}), "rootfs.mtree:8: ./null: type=char"},
		{"another target", edit("link2 type=link uid=0 gid=0 mode=0777 nlink=2 link=/etc/passwd", "link2 type=link uid=0 gid=0 mode=0777 nlink=2 link=/etc/group"),
			"rootfs.mtree:7: ./link2: link=/etc/group, but /etc/passwd"},
		{"a link broken", change(func(root string) error {
			path := filepath.Join(root, "sudo")
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("sudo"), 0o600))
		}), "rootfs.mtree:5: ./dir/sudo2: nlink=2"},
		{"a link made", change(func(root string) error {
			path := filepath.Join(root, "null")
			return errors.Join(os.Remove(path), os.Link(filepath.Join(root, `odd name`+"\n"), path))
		}), "./odd\\040name\\012: "},
		{"two lines for one file that disagree", edit("sudo2 type=file uid=0", "sudo2 type=file uid=1"), "rootfs.mtree:10: ./sudo: differs from another line"},
		{"a directory become a symlink", change(func(root string) error {
			path := filepath.Join(root, "dir")
			return errors.Join(os.Rename(path, root+"/../away"), os.Symlink("../away", path))
		}), "rootfs.mtree:3: ./dir: type=dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := f.create(t, image)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(context.Background(), dir, nil, nil); err != nil {
				t.Fatalf("unchanged: %v", err)
			}
			c.do(t, dir)
			_, err = Open(context.Background(), dir, nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad {
				t.Errorf("status %d: %v; want %s", status.Of(err), err, c.want)
			}
		})
	}
}

// Edits of a manifest take effect.
func TestOpenEdited(t *testing.T) {
	f := newFixture(t, sample(t))
	dir, err := f.create(t, f.image(t))
	if err != nil {
		t.Fatal(err)
	}
	edit("./null type=char uid=0", "./null type=char uid=7")(t, dir)
	s, err := Open(context.Background(), dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if null := s.Tree.Root.Lookup("null"); null.UID != 7 || null.Type != tree.Char || null.Major != 1 {
		t.Errorf("%+v", null)
	}
	sudo, sudo2 := s.Tree.Root.Lookup("sudo"), s.Tree.Root.Lookup("dir").Lookup("sudo2")
	if sudo != sudo2 || sudo.Nlink != 2 || sudo.Blocks != 1 {
		t.Errorf("%+v and %+v", sudo, sudo2)
	}
}

// A directory without a manifest has its metadata on disk.
func TestOpenPlainDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plain")
	write(t, filepath.Join(dir, "sub/f"), "12345")
	err := errors.Join(
		os.Chmod(filepath.Join(dir, "sub/f"), 0o640),
		os.Link(filepath.Join(dir, "sub/f"), filepath.Join(dir, "g")),
		os.Symlink("sub/f", filepath.Join(dir, "l")),
		unix.Mkfifo(filepath.Join(dir, "p"), 0o600),
		os.Chtimes(filepath.Join(dir, "sub/f"), time.Time{}, time.Unix(123, 456)),
		os.Chmod(dir, 0o755|os.ModeSticky),
	)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), dir, nil, func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	root := s.Tree.Root
	g := root.Lookup("g")
	if root.Mode != 0o1755 || root.Lookup("l").Target != "sub/f" || root.Lookup("p").Type != tree.Fifo ||
		g != root.Lookup("sub").Lookup("f") || g.Nlink != 2 || g.Mode != 0o640 || g.Size != 5 || g.Blocks != 1 ||
		g.Sec != 123 || g.Nsec != 456 || int(g.UID) != os.Getuid() || s.Record != nil {
		t.Errorf("root %+v, g %+v", root, g)
	}
}

func TestOpenThroughSymlink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain/f"), "")
	if err := os.Symlink("plain", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), filepath.Join(dir, "link"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Tree.Root.Lookup("f") == nil {
		t.Errorf("%q", s.Tree.Root.Names())
	}
}

func TestOpenNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	for _, name := range []string{"none", "file"} {
		if _, err := Open(context.Background(), filepath.Join(dir, name), nil, nil); status.Of(err) != status.NoInput {
			t.Errorf("%s: status %d: %v", name, status.Of(err), err)
		}
	}
}
