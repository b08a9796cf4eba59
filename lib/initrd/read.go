// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/cavaliergopher/cpio"

	"banger/lib/decompress"
	"banger/lib/guest"
	"banger/lib/kernel"
	"banger/lib/status"
)

// Limits of an initial ramdisk.
const (
	maxFiles = 1 << 18
	maxSize  = 4 << 30 // bytes, uncompressed
)

// Names lists the files in any initial ramdisk: one or more cpio archives, with
// zeros between them. The last may be compressed.
func Names(r io.Reader) (names []string, err error) {
	err = walk(r, func(h *cpio.Header, _ io.Reader) error {
		names = append(names, h.Name)
		return nil
	})
	return names, err
}

// walk calls each for the files in an initial ramdisk, until it returns an error.
func walk(r io.Reader, each func(h *cpio.Header, content io.Reader) error) error {
	w := walker{in: bufio.NewReader(&io.LimitedReader{R: r, N: maxSize}), each: each}
	if err := w.archives(); err != nil {
		return status.With(status.Bad, fmt.Errorf("initrd: %w", err))
	}
	return nil
}

// A walker reads an initial ramdisk.
type walker struct {
	in    *bufio.Reader
	each  func(h *cpio.Header, content io.Reader) error
	files int // so far
	depth int // of compressed archives
}

// archives reads one archive after the other.
func (w *walker) archives() error {
	for {
		if err := w.skipZeros(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		magic, err := w.in.Peek(5)
		if err != nil {
			return fmt.Errorf("not a cpio archive: %w", io.ErrUnexpectedEOF)
		}
		if !bytes.Equal(magic, []byte("07070")) {
			return w.compressed()
		}
		if err := w.archive(); err != nil {
			return err
		}
	}
}

func (w *walker) skipZeros() error {
	for {
		switch c, err := w.in.ReadByte(); {
		case err != nil:
			return err
		case c != 0:
			return w.in.UnreadByte()
		}
	}
}

// archive reads one archive to its trailer.
func (w *walker) archive() error {
	in := &tail{r: w.in}
	a := cpio.NewReader(in)
	for {
		h, err := a.Next()
		if err == io.EOF && string(in.last) == trailer {
			return nil
		}
		if err == io.EOF { // the end of the file
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if w.files++; w.files > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		if err := w.each(h, a); err != nil {
			return err
		}
	}
}

// compressed reads the rest as one compressed stream.
func (w *walker) compressed() error {
	if w.depth++; w.depth > 1 {
		return fmt.Errorf("not a cpio archive")
	}
	r, err := decompress.All.Reader(w.in)
	if err != nil {
		return err
	}
	defer r.Close()
	w.in = bufio.NewReader(&io.LimitedReader{R: r, N: maxSize})
	return w.archives()
}

// trailer is the name of the last entry of an archive.
const trailer = "TRAILER!!!\x00"

// A tail keeps the last bytes read: cpio.Reader returns io.EOF both at the end of
// an archive and at the end of the file.
type tail struct {
	r    io.Reader
	last []byte
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.last = append(t.last, p[:n]...)
	t.last = append(t.last[:0], t.last[max(0, len(t.last)-len(trailer)):]...)
	return n, err
}

// ModuleName returns the kernel's name for a module in an initial ramdisk, and
// whether the file is a module.
func ModuleName(file string) (string, bool) {
	base := path.Base(file)
	if !kernel.IsModule(base) {
		return "", false
	}
	// Write prefixes the names with numbers.
	if dir := path.Dir(file); dir == guest.ModulesDir {
		_, base, _ = strings.Cut(base, "-")
	}
	return kernel.ModuleName(base), true
}
