// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/decompress"
)

// ofBlocks returns a directory whose archive has many blocks, of text and noise,
// and ends inside a block.
func ofBlocks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for n := range 6 {
		noise := make([]byte, 400_000)
		rand.NewChaCha8([32]byte{byte(n)}).Read(noise)
		var text bytes.Buffer
		for line := range 15_000 {
			fmt.Fprintf(&text, "%d: line %x of file %d\n", line, line*line, n)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%d/noise", n)), string(noise))
		write(t, filepath.Join(dir, fmt.Sprintf("%d/text", n)), text.String())
	}
	return dir
}

// gzipOf returns the compressed archive of a source, made on the given number of
// processors.
func gzipOf(t *testing.T, s *Source, processors int) []byte {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	var archive bytes.Buffer
	if err := s.WriteTarGzip(context.Background(), &archive, nil); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// The compressed archive is one member with an empty header and the same on any
// number of processors.
func TestWriteTarGzip(t *testing.T) {
	s := opened(t, ofBlocks(t))
	var plain bytes.Buffer
	if err := s.WriteTar(context.Background(), &plain, nil); err != nil {
		t.Fatal(err)
	}
	archive := gzipOf(t, s, 1)
	for _, processors := range []int{2, 3, 8} {
		if got := gzipOf(t, s, processors); !bytes.Equal(got, archive) {
			t.Errorf("%d processors: %d other bytes, one made %d", processors, len(got), len(archive))
		}
	}
	// RFC 1952, 2.3: deflate, no flags, no time, no hint, system unknown.
	if want := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"; string(archive[:10]) != want {
		t.Errorf("header % x, want % x", archive[:10], want)
	}
	if got := gunzip(t, archive); !bytes.Equal(got, plain.Bytes()) {
		t.Errorf("holds %d bytes, the archive has %d", len(got), plain.Len())
	}
	r, err := decompress.OCI.Reader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain.Bytes()) {
		t.Errorf("lib/decompress reads %d bytes, the archive has %d: %v", len(got), plain.Len(), err)
	}
}

// gunzip returns the content of the only member. No data may follow it.
func gunzip(t *testing.T, member []byte) []byte {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(member))
	r, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("%d bytes after the member", len(rest))
	}
	return content
}

// After an error in the tree the stream is truncated and not written to again.
func TestWriteTarGzipOfWhatChanges(t *testing.T) {
	for name, file := range map[string]string{"at the start": "0/noise", "in the middle": "3/noise", "at the end": "5/text"} {
		t.Run(name, func(t *testing.T) {
			dir := ofBlocks(t)
			s := opened(t, dir)
			if err := os.Truncate(filepath.Join(dir, file), 3); err != nil {
				t.Fatal(err)
			}
			var archive bytes.Buffer
			if err := s.WriteTarGzip(context.Background(), &archive, nil); err == nil {
				t.Error("no error")
			}
			truncated(t, archive.Bytes())
		})
	}
}

// The same after an interrupt.
func TestWriteTarGzipInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var archive bytes.Buffer
	w := writer(func(p []byte) (int, error) {
		cancel()
		return archive.Write(p)
	})
	if err := opened(t, ofBlocks(t)).WriteTarGzip(ctx, w, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	truncated(t, archive.Bytes())
}

func truncated(t *testing.T, archive []byte) {
	t.Helper()
	if len(archive) == 0 {
		return
	}
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes read with %v, want an unexpected end", len(archive), err)
	}
}

// A write error at any byte is returned.
func TestWriteTarGzipToFull(t *testing.T) {
	s := opened(t, ofBlocks(t))
	whole := len(gzipOf(t, s, runtime.GOMAXPROCS(0)))
	for _, room := range []int{0, 9, 10, whole / 2, whole - 9, whole - 8, whole - 1} {
		left := room
		w := writer(func(p []byte) (int, error) {
			n := min(left, len(p))
			left -= n
			if n < len(p) {
				return n, unix.ENOSPC
			}
			return n, nil
		})
		if err := s.WriteTarGzip(context.Background(), w, nil); err != unix.ENOSPC {
			t.Errorf("room for %d of %d bytes: %v", room, whole, err)
		}
	}
	if err := s.WriteTarGzip(context.Background(), nobody{}, nil); err != unix.EPIPE {
		t.Errorf("%v", err)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
