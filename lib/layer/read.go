// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"

	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tar"
	"banger/lib/tree"
)

// A Keeper takes the contents of files in. It may complete an inode later.
type Keeper interface {
	Keep(n *tree.Inode, src *sparse.Source) error
}

// A Reader reads the layers of one image; several may be read at a time.
type Reader struct {
	Contents   Keeper
	MaxSize    int64             // bytes that all files together may have
	MaxEntries int64             // entries that all layers together may have
	Terminated bool              // an archive must say itself where it ends
	Warn       func(text string) // hears what is not kept, once for each kind

	size, entries, meta atomic.Int64
	warned              onceEach
}

// Read reads a layer's uncompressed archive, and what follows the end of it.
func (r *Reader) Read(ctx context.Context, id string, in io.Reader) (*Layer, error) {
	l := &Layer{ID: id, count: r.countEntry}
	archive := tar.NewReader(sparse.Interruptible(ctx, in))
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return l, r.end(l, archive)
		}
		if err != nil {
			return nil, readError(id, err)
		}
		if err := r.count(h); err != nil {
			return nil, l.errorf(h.Name, "%w", err)
		}
		if err := r.read(l, h, archive); err != nil {
			return nil, readError(id, fmt.Errorf("%q: %w", h.Name, err))
		}
	}
}

// end reads what follows the end of an archive: as a rule zeros, to fill a
// tape's record. It counts as if it were content.
func (r *Reader) end(l *Layer, archive *tar.Reader) error {
	if r.Terminated && !archive.Terminated {
		return readError(l.ID, io.ErrUnexpectedEOF)
	}
	var buf [32 << 10]byte
	for meant := false; ; {
		n, err := archive.Rest().Read(buf[:])
		if !meant && !sparse.Zero(buf[:n]) {
			meant = true
			r.warn("rest", "layer %s: more than zeros follow the end of the archive: passed over", l.ID)
		}
		if e := r.fits(int64(n)); e != nil {
			return readError(l.ID, e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readError(l.ID, err)
		}
	}
}

// readError says where in a layer reading stopped.
func readError(id string, err error) error {
	return Fault(fmt.Errorf("layer %s: %w", id, err))
}

// Fault makes an error the layer's: what could not be read was bad. What the
// host refuses, a failing disk or a full one, is not the layer's fault.
func Fault(err error) error {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return err
	}
	return status.With(status.Bad, err)
}

// count holds an entry against the limits, before anything is kept of it.
func (r *Reader) count(h *tar.Header) error {
	if err := r.countEntry(); err != nil {
		return err
	}
	if err := r.countMeta(int64(len(h.Name)+len(h.Link)) + h.Extended); err != nil {
		return err
	}
	return r.fits(h.Size)
}

// countMeta counts bytes of names and attributes.
func (r *Reader) countMeta(n int64) error {
	if r.meta.Add(n) > maxMeta {
		return fmt.Errorf("more than %d bytes of names and attributes in the image", maxMeta)
	}
	return nil
}

// countEntry counts an entry, or a directory that must be there for one: a name
// of 2 KiB may want a thousand.
func (r *Reader) countEntry() error {
	if r.entries.Add(1) > r.MaxEntries {
		return fmt.Errorf("more than %d entries in the image: --max-entries allows more", r.MaxEntries)
	}
	return nil
}

// fits counts bytes that the image unpacks to.
func (r *Reader) fits(n int64) error {
	if n > r.MaxSize || r.size.Add(n) > r.MaxSize {
		return fmt.Errorf("more than %d bytes in the image: --max-size allows more", r.MaxSize)
	}
	return nil
}

// maxMeta is how many bytes of names, targets and extended attributes the
// entries of an image may have: they are kept in memory.
const maxMeta = 512 << 20

// read adds what one entry says to the layer.
func (r *Reader) read(l *Layer, h *tar.Header, content io.Reader) error {
	if h.Type == tar.Global {
		return nil // leaves no file, and its values are ignored
	}
	name, err := tree.SplitLong(h.Name)
	if err != nil {
		return err
	}
	if is, err := l.addWhiteout(name, h.Name); is || err != nil {
		return err
	}
	if err := tree.CheckNames(name); err != nil {
		return err
	}
	e := entry{name: h.Name}
	if h.Type == tar.Link {
		e.link = h.Link
		_, err = linkTarget(h.Link)
		e.inode = &tree.Inode{}
		r.setTime(e.inode, h)
	} else {
		e.inode, err = r.inode(h)
	}
	if err == nil && e.inode.Type == tree.File && e.link == "" && h.Size > 0 {
		err = r.Contents.Keep(e.inode, &sparse.Source{Reader: content, Size: h.Size, Data: h.Data, Holes: h.Sparse})
	}
	l.entries = append(l.entries, e)
	return err
}

// inode makes the inode that a header describes, without its content.
func (r *Reader) inode(h *tar.Header) (*tree.Inode, error) {
	n := &tree.Inode{Mode: uint16(h.Mode & 0o7777)}
	var err error
	if n.Type, err = typeOf(h); err != nil {
		return nil, err
	}
	switch {
	case n.Type == tree.Symlink:
		n.Mode, n.Target = 0o777, h.Link
		err = checkTarget(h.Link)
	case n.Type.Device():
		n.Major, n.Minor = uint32(h.Major), uint32(h.Minor)
		err = checkDevice(h)
	}
	if err != nil {
		return nil, err
	}
	if n.UID, err = id("uid", h.UID); err != nil {
		return nil, err
	}
	if n.GID, err = id("gid", h.GID); err != nil {
		return nil, err
	}
	r.setTime(n, h)
	return n, r.setXattrs(n, h)
}

// typeOf tells the type of file from an entry's typeflag. Before there was one
// for directories, a slash at the end of the name meant that.
func typeOf(h *tar.Header) (tree.Type, error) {
	switch h.Type {
	case tar.File:
		switch {
		case !strings.HasSuffix(h.Name, "/"):
			return tree.File, nil
		case h.Size > 0:
			return 0, fmt.Errorf("a directory with %d bytes of content", h.Size)
		}
		return tree.Dir, nil
	case tar.Contig:
		return tree.File, nil
	case tar.Dir:
		return tree.Dir, nil
	case tar.Symlink:
		return tree.Symlink, nil
	case tar.Char:
		return tree.Char, nil
	case tar.Block:
		return tree.Block, nil
	case tar.Fifo:
		return tree.Fifo, nil
	}
	return 0, fmt.Errorf("unknown typeflag %q", h.Type)
}

func checkTarget(target string) error {
	switch {
	case target == "":
		return fmt.Errorf("a symlink without a target")
	case strings.IndexByte(target, 0) >= 0:
		return fmt.Errorf("a symlink target with a NUL")
	case len(target) > tree.MaxTarget:
		return fmt.Errorf("a symlink target of %d bytes", len(target))
	}
	return nil
}

// checkDevice holds a device's numbers against dev_t of linux/kdev_t.h.
func checkDevice(h *tar.Header) error {
	if h.Major < 0 || h.Major >= 1<<12 || h.Minor < 0 || h.Minor >= 1<<20 {
		return fmt.Errorf("device %d,%d out of range", h.Major, h.Minor)
	}
	return nil
}

// id checks a numeric owner; 2^32-1 means nobody to chown(2).
func id(what string, v int64) (uint32, error) {
	if v < 0 || v > 1<<32-2 {
		return 0, fmt.Errorf("%s %d out of range", what, v)
	}
	return uint32(v), nil
}
