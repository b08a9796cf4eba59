// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Archives written by tar and other programs give the same tree, as far as each
// format can represent it.
func TestArchivers(t *testing.T) {
	for _, c := range []struct {
		holds   int
		command []string
	}{
		{v7, []string{"tar", "--format=v7"}},
		{ustar, []string{"tar", "--format=ustar"}},
		{more, []string{"tar", "--format=oldgnu"}},
		{more, []string{"tar", "--format=oldgnu", "-S"}},
		{more, []string{"tar", "--format=gnu"}},
		{more, []string{"tar", "--format=gnu", "-S"}},
		{more, []string{"tar", "--format=posix"}},
		{more, []string{"tar", "--format=posix", "-S", "--sparse-version=0.0"}},
		{more, []string{"tar", "--format=posix", "-S", "--sparse-version=0.1"}},
		{more, []string{"tar", "--format=posix", "-S", "--sparse-version=1.0"}},
		{v7, []string{"bsdtar", "--format=v7"}},
		{ustar, []string{"bsdtar", "--format=ustar"}},
		{more, []string{"bsdtar", "--format=gnutar"}},
		{more, []string{"bsdtar", "--format=pax"}},
		{more, []string{"bsdtar", "--format=paxr"}},
	} {
		t.Run(strings.Join(c.command, " "), func(t *testing.T) {
			dir := t.TempDir()
			want := sources(t, dir, c.holds)
			image := newImage(t)
			if err := image.apply(archived(t, dir, c.command)); err != nil {
				t.Fatal(err)
			}
			s := image.tree.Root.Lookup("sparse")
			if s == nil || s.Size != 8<<20 || s.Blocks != 2 || s.Runs != 2 {
				t.Fatalf("sparse: %+v", s)
			}
			if got := image.content(s); got[1<<20:1<<20+5] != "first" || got[8<<20-4:] != "last" || strings.Count(got, "\x00") != 8<<20-9 {
				t.Error("sparse: wrong content")
			}
			image.tree.Root.Remove("sparse", nil)
			if got := image.show(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// Levels of formats, each able to represent more than the one before.
const (
	v7    = iota
	ustar // fifos, and names over 100 bytes that can be split at a slash
	more  // names and targets of any length
)

// sources creates the files to archive and returns the expected trees.
func sources(t *testing.T, dir string, holds int) (want string) {
	t.Helper()
	var err error
	do := func(e error) {
		if err == nil {
			err = e
		}
	}
	do(os.Mkdir(filepath.Join(dir, "d"), 0o755))
	do(os.WriteFile(filepath.Join(dir, "d/a"), []byte("1"), 0o644))
	do(os.Link(filepath.Join(dir, "d/a"), filepath.Join(dir, "d/b")))
	do(os.Symlink("a", filepath.Join(dir, "d/l")))
	want = "d/ d/a:1 d/b=d/a d/l->a"
	if holds >= ustar {
		name := strings.Repeat("m", 90)
		do(unix.Mkfifo(filepath.Join(dir, "d/p"), 0o644))
		do(os.Mkdir(filepath.Join(dir, name), 0o755))
		do(os.WriteFile(filepath.Join(dir, name, name), []byte("2"), 0o600))
		want += " d/p<fifo> " + name + "/ " + name + "/" + name + ":2{0600}"
	}
	if holds >= more {
		name := strings.Repeat("n", 250)
		do(os.Mkdir(filepath.Join(dir, name), 0o755))
		do(os.WriteFile(filepath.Join(dir, name, name), []byte("3"), 0o4755))
		do(os.Chmod(filepath.Join(dir, name, name), 0o755|os.ModeSetuid))
		do(os.Symlink(name+"/"+name, filepath.Join(dir, "z")))
		do(os.Link(filepath.Join(dir, name, name), filepath.Join(dir, name, name[1:])))
		want += " " + name + "/ " + name + "/" + name[1:] + ":3{4755} " + name + "/" + name + "=" + name + "/" + name[1:] + " z->" + name + "/" + name
	}
	do(sparseFile(filepath.Join(dir, "sparse")))
	do(filepath.Walk(dir, func(path string, info os.FileInfo, e error) error {
		at := []unix.Timespec{{Sec: 1}, {Sec: 1}}
		if e == nil {
			e = unix.UtimesNanoAt(unix.AT_FDCWD, path, at, unix.AT_SYMLINK_NOFOLLOW)
		}
		return e
	}))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// sparseFile creates a file of 8 MiB with a block in the hole and one at its end.
func sparseFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("first"), 1<<20); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("last"), 8<<20-4)
	return err
}

// archived returns the archive that a program writes of a directory, with root as
// owner. It skips the test if there is no such program.
func archived(t *testing.T, dir string, command []string) []byte {
	t.Helper()
	owner := []string{"--owner=root:0", "--group=root:0", "--sort=name"}
	if command[0] == "bsdtar" {
		owner = []string{"--uid=0", "--gid=0"}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	args := append(append(command[1:], owner...), "-cf", "-", "-C", dir)
	for _, name := range names {
		args = append(args, filepath.Base(name))
	}
	archive, err := exec.Command(command[0], args...).Output()
	switch {
	case err == nil:
		return archive
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v", command, err)
	default:
		t.Skipf("%v: %v", command, err)
	}
	return nil
}
