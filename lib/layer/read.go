// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"

	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// A Reader reads the layers of one image; several may be read at a time.
type Reader struct {
	Contents   *Contents
	MaxSize    int64             // bytes that all files together may have
	MaxEntries int64             // entries that all layers together may have
	Warn       func(text string) // hears what is not kept, once for each kind

	size, entries, meta atomic.Int64
	warned              onceEach
}

// Read reads a layer's uncompressed archive, up to its end and not past it:
// what follows is the caller's to drain and check.
func (r *Reader) Read(ctx context.Context, id string, in io.Reader) (*Layer, error) {
	l := &Layer{ID: id}
	tr := newArchive(in)
	for {
		h, err := tr.next()
		if err == io.EOF {
			return l, nil
		}
		if err != nil {
			return nil, readError(id, "tar header", err)
		}
		if err := r.count(h); err != nil {
			return nil, l.errorf(h.Name, "%w", err)
		}
		if err := r.read(l, h, sparse.Interruptible(ctx, tr)); err != nil {
			return nil, readError(id, fmt.Sprintf("%q", h.Name), err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// readError says where in a layer reading stopped.
func readError(id, what string, err error) error {
	return Fault(fmt.Errorf("layer %s: %s: %w", id, what, err))
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
	if r.entries.Add(1) > r.MaxEntries {
		return fmt.Errorf("more than %d entries in the image: --max-entries allows more", r.MaxEntries)
	}
	if r.meta.Add(metaSize(h)) > maxMeta {
		return fmt.Errorf("more than %d bytes of names and attributes in the image", maxMeta)
	}
	if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse || h.Typeflag == tar.TypeCont {
		if h.Size > r.MaxSize || r.size.Add(h.Size) > r.MaxSize {
			return fmt.Errorf("more than %d bytes in the image: --max-size allows more", r.MaxSize)
		}
	}
	return nil
}

// maxMeta is how many bytes of names, targets and extended attributes the
// entries of an image may have: they are kept in memory.
const maxMeta = 512 << 20

func metaSize(h *tar.Header) int64 {
	size := len(h.Name) + len(h.Linkname)
	for key, value := range h.PAXRecords {
		size += len(key) + len(value)
	}
	return int64(size)
}

// read adds what one entry says to the layer.
func (r *Reader) read(l *Layer, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
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
	e := entry{name: name, from: h.Name}
	if h.Typeflag == tar.TypeLink {
		e.link, err = linkTarget(h)
		e.inode = &tree.Inode{}
		r.setTime(e.inode, h)
	} else {
		e.inode, err = r.inode(h)
	}
	if err == nil && e.inode.Type == tree.File && e.link == nil && h.Size > 0 {
		err = r.Contents.add(e.inode, content, h.Size)
	}
	l.entries = append(l.entries, e)
	return err
}

// linkTarget returns the file that a hard link is to be a name of.
func linkTarget(h *tar.Header) ([]string, error) {
	target, err := tree.Split(h.Linkname)
	if err == nil && len(target) == 0 {
		err = errors.New("is the root")
	}
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	return target, nil
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
		n.Mode, n.Target = 0o777, h.Linkname
		err = checkTarget(h.Linkname)
	case n.Type.Device():
		n.Major, n.Minor = uint32(h.Devmajor), uint32(h.Devminor)
		err = checkDevice(h)
	}
	if err != nil {
		return nil, err
	}
	if n.UID, err = id("uid", h.Uid); err != nil {
		return nil, err
	}
	if n.GID, err = id("gid", h.Gid); err != nil {
		return nil, err
	}
	r.setTime(n, h)
	return n, r.setXattrs(n, h)
}

// typeOf tells the type of file from an entry's typeflag.
func typeOf(h *tar.Header) (tree.Type, error) {
	switch h.Typeflag {
	case tar.TypeReg, '\x00':
		if strings.HasSuffix(h.Name, "/") {
			return tree.Dir, nil
		}
		return tree.File, nil
	case tar.TypeCont, tar.TypeGNUSparse:
		return tree.File, nil
	case tar.TypeDir:
		return tree.Dir, nil
	case tar.TypeSymlink:
		return tree.Symlink, nil
	case tar.TypeChar:
		return tree.Char, nil
	case tar.TypeBlock:
		return tree.Block, nil
	case tar.TypeFifo:
		return tree.Fifo, nil
	}
	return 0, fmt.Errorf("unknown typeflag %q", h.Typeflag)
}

func checkTarget(target string) error {
	switch {
	case target == "":
		return fmt.Errorf("a symlink without a target")
	case len(target) > tree.MaxTarget:
		return fmt.Errorf("a symlink target of %d bytes", len(target))
	}
	return nil
}

// checkDevice holds a device's numbers against dev_t of linux/kdev_t.h.
func checkDevice(h *tar.Header) error {
	if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 {
		return fmt.Errorf("device %d,%d out of range", h.Devmajor, h.Devminor)
	}
	return nil
}

// id checks a numeric owner; 2^32-1 means nobody to chown(2).
func id(what string, v int) (uint32, error) {
	if v < 0 || int64(v) > 1<<32-2 {
		return 0, fmt.Errorf("%s %d out of range", what, v)
	}
	return uint32(v), nil
}
