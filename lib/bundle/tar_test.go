// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
	"banger/lib/tree"
)

// opened returns the source of a plain directory.
func opened(t *testing.T, dir string) *Source {
	t.Helper()
	s, err := Open(context.Background(), dir, nil, func(text string) { t.Error(text) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A directory comes before its entries, a hard link after its file. Files that tar
// does not support cause a warning.
func TestWriteTar(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b/f"), "12345")
	write(t, filepath.Join(dir, "b.c/.wh.d/.wh.x"), "")
	err := errors.Join(
		os.Link(filepath.Join(dir, "b/f"), filepath.Join(dir, "a")),
		os.Symlink("b", filepath.Join(dir, "z")),
		unix.Mknod(filepath.Join(dir, "b/s"), unix.S_IFSOCK|0o600, 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	var warned []string
	err = opened(t, dir).WriteTar(context.Background(), &archive, func(text string) { warned = append(warned, text) })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	r := tar.NewReader(&archive)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name+" "+string(h.Typeflag)+h.Linkname)
	}
	if want := []string{"./ 5", "./a 0", "./b/ 5", "./b/f 1./a", "./b.c/ 5", "./b.c/.wh.d/ 5", "./b.c/.wh.d/.wh.x 0", "./z 2b"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	about := []string{"./b/s: socket: ", "./b.c/.wh.d: would be a whiteout in a layer", "./b.c/.wh.d/.wh.x: would be a whiteout in a layer"}
	if !slices.EqualFunc(warned, about, strings.HasPrefix) {
		t.Errorf("warned %q, want %q", warned, about)
	}
}

// A file that changes while it is read is an error.
func TestWriteTarOfWhatChanges(t *testing.T) {
	for name, do := range map[string]func(f string) error{
		"grown":     func(f string) error { return os.WriteFile(f, []byte("more than it was"), 0o644) },
		"shrunk":    func(f string) error { return os.Truncate(f, 3) },
		"gone":      os.Remove,
		"a symlink": func(f string) error { return errors.Join(os.Remove(f), os.Symlink("/etc/passwd", f)) },
		"a fifo":    func(f string) error { return errors.Join(os.Remove(f), unix.Mkfifo(f, 0o600)) },
		"below a symlink": func(f string) error {
			d := filepath.Dir(f)
			return errors.Join(os.Rename(d, d+".away"), os.Symlink(d+".away", d))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := filepath.Join(dir, "d/f")
			write(t, f, "12345")
			s := opened(t, dir)
			if err := do(f); err != nil {
				t.Fatal(err)
			}
			err := s.WriteTar(context.Background(), io.Discard, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "./d") {
				t.Errorf("%v", err)
			}
		})
	}
}

// Numbers that do not fit into a ustar header are kept.
func TestTarHeader(t *testing.T) {
	name := "./" + strings.Repeat(strings.Repeat("n", 255)+"/", 16) + "\xff"
	n := &tree.Inode{Mode: 0o7777, UID: 1<<32 - 2, GID: 1 << 31, Sec: -2, Nsec: 500_000_001, Size: 1 << 50,
		Xattrs: []tree.Xattr{{Name: "user.a=%", Value: "\x00="}, {Name: "user.\n", Value: "\n"}, {Name: "user.none"}}}
	var archive bytes.Buffer
	a := archiver{tar: tar.NewWriter(&archive)}
	if err := a.header(name, n, ""); err != nil {
		t.Fatal(err)
	}
	h, err := tar.NewReader(&archive).Next()
	if err != nil {
		t.Fatal(err)
	}
	if h.Name != name || h.Mode != 0o7777 || h.Uid != 1<<32-2 || h.Gid != 1<<31 || h.Size != 1<<50 || h.Uname+h.Gname != "" ||
		!h.ModTime.Equal(time.Unix(-2, 500_000_001)) {
		t.Errorf("%+v", h)
	}
	for key, want := range map[string]string{
		"LIBARCHIVE.xattr.user.a%3D%25": "AD0", "SCHILY.xattr.user.\n": "\n", "SCHILY.xattr.user.none": "", "hdrcharset": "BINARY",
	} {
		if got, is := h.PAXRecords[key]; !is || got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// Metadata too large for a header is an error, not truncated.
func TestTarHeaderTooLong(t *testing.T) {
	n := &tree.Inode{}
	for i := range 17 {
		n.Xattrs = append(n.Xattrs, tree.Xattr{Name: "user." + strings.Repeat("x", i+1), Value: strings.Repeat("v", tree.MaxXattr)})
	}
	a := archiver{tar: tar.NewWriter(io.Discard)}
	if err := a.header("./f", n, ""); status.Of(err) != status.Bad {
		t.Errorf("%v", err)
	}
}

// A write error does not name a file.
func TestWriteTarToNobody(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), strings.Repeat("x", 3<<20))
	err := opened(t, dir).WriteTar(context.Background(), nobody{}, nil)
	if err != unix.EPIPE {
		t.Errorf("%v", err)
	}
}

// nobody is a pipe without a reader.
type nobody struct{}

func (nobody) Write([]byte) (int, error) { return 0, unix.EPIPE }
