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
func Names(r io.Reader) ([]string, error) {
	l := list{in: bufio.NewReader(&io.LimitedReader{R: r, N: maxSize})}
	if err := l.archives(); err != nil {
		return nil, status.With(status.Bad, fmt.Errorf("initrd: %w", err))
	}
	return l.names, nil
}

// A list collects the names in an initial ramdisk.
type list struct {
	in    *bufio.Reader
	names []string
	depth int // of compressed archives
}

// archives reads one archive after the other.
func (l *list) archives() error {
	for {
		if err := l.skipZeros(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		magic, err := l.in.Peek(5)
		if err != nil {
			return fmt.Errorf("not a cpio archive: %w", io.ErrUnexpectedEOF)
		}
		if !bytes.Equal(magic, []byte("07070")) {
			return l.compressed()
		}
		if err := l.archive(); err != nil {
			return err
		}
	}
}

func (l *list) skipZeros() error {
	for {
		switch c, err := l.in.ReadByte(); {
		case err != nil:
			return err
		case c != 0:
			return l.in.UnreadByte()
		}
	}
}

// archive reads one archive to its trailer.
func (l *list) archive() error {
	in := &tail{r: l.in}
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
		if l.names = append(l.names, h.Name); len(l.names) > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
	}
}

// compressed reads the rest as one compressed stream.
func (l *list) compressed() error {
	if l.depth++; l.depth > 1 {
		return fmt.Errorf("not a cpio archive")
	}
	r, err := decompress.All.Reader(l.in)
	if err != nil {
		return err
	}
	defer r.Close()
	l.in = bufio.NewReader(&io.LimitedReader{R: r, N: maxSize})
	return l.archives()
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
