// SPDX-License-Identifier: Apache-2.0

package input

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// place creates a directory with a file, a symlink to it, and files that are not
// regular.
func place(t *testing.T) string {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "file"), []byte("12345"), 0o600),
		os.Symlink("file", filepath.Join(dir, "link")),
		os.Symlink("/dev/zero", filepath.Join(dir, "zero")),
		os.Mkdir(filepath.Join(dir, "dir"), 0o700),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o600, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Only a regular file is opened, and opening does not block.
func TestOpen(t *testing.T) {
	dir := place(t)
	for name, want := range map[string][2]status.Code{ // of Open, of OpenNoFollow
		"file":    {status.OK, status.OK},
		"link":    {status.OK, status.Bad},
		"zero":    {status.Bad, status.Bad},
		"dir":     {status.Bad, status.Bad},
		"fifo":    {status.Bad, status.Bad},
		"socket":  {status.Bad, status.Bad},
		"nothing": {status.NoInput, status.NoInput},
	} {
		for i, open := range []func(string) (*os.File, error){Open, OpenNoFollow} {
			path := filepath.Join(dir, name)
			f, err := open(path)
			if status.Of(err) != want[i] || err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %d: %v", name, i, err)
			}
			if err == nil {
				f.Close()
			}
		}
	}
}

// A file as large as the limit is read; a byte more is an error.
func TestReadAll(t *testing.T) {
	dir := place(t)
	for limit, want := range map[int64]string{5: "12345", 6: "12345", 4: ""} {
		f, err := Open(filepath.Join(dir, "file"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ReadAll(f, limit)
		if string(raw) != want || (err == nil) != (want != "") || err != nil && status.Of(err) != status.Bad {
			t.Errorf("%d: %q, %v", limit, raw, err)
		}
		if at, err := f.Seek(0, io.SeekCurrent); want == "" && at != 0 || err != nil {
			t.Errorf("%d: read up to byte %d, %v", limit, at, err)
		}
		f.Close()
	}
}

// A file that is larger than its size is read up to the limit.
func TestReadAllGrowing(t *testing.T) {
	f, err := Open("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if raw, err := ReadAll(f, 10); status.Of(err) != status.Bad || raw != nil {
		t.Errorf("%q, %v", raw, err)
	}
}

// Lines are returned without newlines, up to the limit.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		text  string
		limit int
		want  []string
		fail  bool
	}{
		{"", 3, nil, false},
		{"\n", 3, []string{""}, false},
		{"a\n\nb", 3, []string{"a", "", "b"}, false},
		{"abc\nabc", 3, []string{"abc", "abc"}, false},
		{"a\nabcd\nb\n", 3, []string{"a"}, true},
		{"a\nabcd", 3, []string{"a"}, true},
		{long + "\n" + long, len(long), []string{long, long}, false},
		{long + "\n", len(long) - 1, nil, true},
		{long, len(long) - 1, nil, true},
	} {
		lines := NewLines(strings.NewReader(c.text), c.limit)
		var got []string
		line, err := lines.Next()
		for ; err == nil; line, err = lines.Next() {
			got = append(got, line)
		}
		if !slices.Equal(got, c.want) || (err != io.EOF) != c.fail || lines.Number != len(c.want)+1 {
			t.Errorf("%.10q, %d: %d lines, %v", c.text, c.limit, len(got), err)
		}
		if c.fail && status.Of(err) != status.Bad {
			t.Errorf("%.10q, %d: %v", c.text, c.limit, err)
		}
	}
}

// endless is a line without an end. It counts the bytes read.
type endless int

func (e *endless) Read(p []byte) (int, error) {
	*e += endless(len(p))
	return len(p), nil
}

// Of a line without an end, no more than the limit and a buffer is read.
func TestLinesEndless(t *testing.T) {
	var in endless
	if _, err := NewLines(&in, 1<<20).Next(); status.Of(err) != status.Bad {
		t.Error(err)
	}
	if in > 1<<20+128<<10 {
		t.Errorf("read %d bytes", in)
	}
}
