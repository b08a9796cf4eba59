// SPDX-License-Identifier: Apache-2.0

package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// readStream opens and reads a stream.
func readStream(ctx context.Context, path string) (string, error) {
	s, err := OpenStream(ctx, path)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(s)
	return string(raw), errors.Join(err, s.Close())
}

// A file and /dev/stdin are read; a missing file is an error.
func TestStream(t *testing.T) {
	dir := place(t)
	for _, name := range []string{"file", "link"} {
		if got, err := readStream(t.Context(), filepath.Join(dir, name)); got != "12345" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := readStream(t.Context(), filepath.Join(dir, "nothing")); status.Of(err) != status.NoInput {
		t.Error(err)
	}
	if got, err := readStream(t.Context(), "/dev/null"); got != "" || err != nil {
		t.Errorf("/dev/null: %q, %v", got, err)
	}
}

// A pipe opened by its path is read to its end, with or without a writer.
func TestStreamPipe(t *testing.T) {
	for _, gone := range []bool{true, false} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		write := func() { io.WriteString(w, "text"); w.Close() }
		if gone {
			write()
		} else {
			go write()
		}
		if got, err := readStream(t.Context(), fmt.Sprintf("/dev/fd/%d", r.Fd())); got != "text" || err != nil {
			t.Errorf("writer gone %v: %q, %v", gone, got, err)
		}
	}
}

// OpenStream waits for a writer of a FIFO, which is then read to its end.
func TestStreamFIFO(t *testing.T) {
	fifo := filepath.Join(place(t), "fifo")
	for _, text := range []string{"", "text", strings.Repeat("x", 1<<20)} {
		go func() {
			w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns once there is a reader
			if err == nil {
				io.WriteString(w, text)
				w.Close()
			}
		}()
		if got, err := readStream(t.Context(), fifo); got != text || err != nil {
			t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
		}
	}
}

// The end of the context ends the wait for a writer and for data.
func TestStreamEnds(t *testing.T) {
	fifo := filepath.Join(place(t), "fifo")
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error)
	go func() { _, err := readStream(ctx, fifo); opened <- err }()
	for { // until it has been opened
		w, err := os.OpenFile(fifo, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if err == nil {
			defer w.Close()
			break
		}
		if !errors.Is(err, unix.ENXIO) {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// With an ended context, OpenStream does not wait.
func TestStreamEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readStream(ctx, filepath.Join(place(t), "fifo")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
