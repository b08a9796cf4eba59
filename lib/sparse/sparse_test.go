// SPDX-License-Identifier: Apache-2.0

package sparse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"
)

// content returns the content that words describes: 0 for a block of zeros, x
// for a block of data, . for a byte of data, z for a zero byte.
func content(words string) []byte {
	var b []byte
	for _, w := range words {
		switch w {
		case '0':
			b = append(b, make([]byte, BlockSize)...)
		case 'x':
			b = append(b, bytes.Repeat([]byte("x"), BlockSize)...)
		case '.':
			b = append(b, '.')
		case 'z':
			b = append(b, 0)
		}
	}
	return b
}

var cases = []struct {
	words        string
	blocks, runs int64
}{
	{"", 0, 0}, {".", 1, 1}, {"z", 0, 0}, {"x", 1, 1}, {"0", 0, 0}, {"0x", 1, 1}, {"x0", 1, 1}, {"x0x", 2, 2},
	{"00x.", 2, 1}, {"x0.", 2, 2}, {"xz", 1, 1}, {"0z", 0, 0},
	{strings.Repeat("0", 63) + "xx" + strings.Repeat("0", 70), 2, 1}, // a run that spans two chunks
	{strings.Repeat("x", 64), 64, 1}, {strings.Repeat("x", 64) + "0x", 65, 2}, {strings.Repeat("x0", 100), 100, 100},
}

func create(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// whole returns a source without holes.
func whole(r io.Reader) *Source { return &Source{Reader: r} }

// all returns the content of a file.
func all(t *testing.T, f *os.File) []byte {
	t.Helper()
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// stored returns the number of 4 KiB blocks that a file takes on disk.
func stored(t *testing.T, f *os.File) int64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512 / BlockSize
}

func TestWriteAndScan(t *testing.T) {
	for _, c := range cases {
		want := content(c.words)
		usage := Usage{int64(len(want)), c.blocks, c.runs}
		for how, r := range map[string]io.Reader{
			"at once": bytes.NewReader(want), "in halves": iotest.HalfReader(bytes.NewReader(want)),
			"with its end": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			f := create(t)
			got, err := Write(f, whole(r))
			if err != nil || got != usage || !bytes.Equal(all(t, f), want) {
				t.Errorf("Write %.20s %s: %+v, %v; want %+v", c.words, how, got, err, usage)
			}
		}
		holes, full := create(t), create(t)
		if _, err := Write(holes, whole(bytes.NewReader(want))); err != nil {
			t.Fatal(err)
		}
		if _, err := full.Write(want); err != nil {
			t.Fatal(err)
		}
		for how, f := range map[string]*os.File{"with holes": holes, "without": full} {
			if got, err := ScanFile(f, func([]byte, int64) error { return nil }); err != nil || got != usage {
				t.Errorf("Count %.20s %s: %+v, %v; want %+v", c.words, how, got, err, usage)
			}
		}
	}
}

// Zero blocks take no space if the filesystem supports holes.
func TestHoles(t *testing.T) {
	probe := create(t)
	if err := probe.Truncate(100 * BlockSize); err != nil {
		t.Fatal(err)
	}
	if stored(t, probe) > 0 {
		t.Skip("filesystem without holes")
	}
	f := create(t)
	if _, err := Write(f, whole(bytes.NewReader(content("x"+strings.Repeat("0", 98)+"x")))); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, f); got > 10 {
		t.Errorf("two blocks of data take %d", got)
	}
	copied := create(t)
	if err := Copy(context.Background(), copied, f); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, copied); got > 10 {
		t.Errorf("two blocks of data take %d in a copy", got)
	}
}

// Write returns a reader's error unchanged.
func TestReaderErrors(t *testing.T) {
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("damaged")} {
		for _, before := range []string{"", "x", "0x.", strings.Repeat("x", 64), strings.Repeat("x", 100)} {
			r := func() io.Reader { return io.MultiReader(bytes.NewReader(content(before)), iotest.ErrReader(cause)) }
			if _, err := Write(create(t), whole(r())); err != cause {
				t.Errorf("Write, after %d blocks: %v, want %v", len(before), err, cause)
			}
		}
	}
}

func TestCopyAndRead(t *testing.T) {
	for _, c := range cases {
		src, dst := create(t), create(t)
		want := content(c.words)
		if _, err := Write(src, whole(bytes.NewReader(want))); err != nil {
			t.Fatal(err)
		}
		if err := Copy(context.Background(), dst, src); err != nil || !bytes.Equal(all(t, dst), want) {
			t.Errorf("Copy %.20s: %v, %d bytes", c.words, err, len(all(t, dst)))
		}
		var b bytes.Buffer
		if err := Read(context.Background(), &b, src); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("Read %.20s: %v, %d bytes", c.words, err, b.Len())
		}
	}
}

// Read returns the errors of the context and of the writer.
func TestInterrupted(t *testing.T) {
	src := create(t)
	if _, err := src.Write(content("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Read(ctx, io.Discard, src); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	full := errors.New("full")
	if err := Read(context.Background(), failing{full}, src); !errors.Is(err, full) {
		t.Errorf("Read to a failing writer: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
