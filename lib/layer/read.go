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

// A Keeper stores file contents. It may fill in the inode after Keep returns.
type Keeper interface {
	Keep(n *tree.Inode, src *sparse.Source) error
}

// A Reader reads the layers of one image. Read may be called concurrently.
type Reader struct {
	Contents   Keeper
	MaxSize    int64             // limit on the bytes of all files
	MaxEntries int64             // limit on the entries of all layers
	Terminated bool              // require the end-of-archive blocks
	Warn       func(text string) // called once for each kind of skipped metadata

	size, entries, meta atomic.Int64
	warned              warnings
}

// The errors for an image above MaxEntries or MaxSize.
var (
	ErrTooManyEntries = errors.New("too many entries in the image")
	ErrTooLarge       = errors.New("image too large")
)

// Read reads the uncompressed archive of a layer and any data after its end.
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

// end reads the data after the end of an archive, usually zeros that pad a tape
// record. It counts towards MaxSize.
func (r *Reader) end(l *Layer, archive *tar.Reader) error {
	if r.Terminated && !archive.Terminated {
		return readError(l.ID, io.ErrUnexpectedEOF)
	}
	var buf [32 << 10]byte
	for {
		n, err := archive.Rest().Read(buf[:])
		if !sparse.Zero(buf[:n]) {
			r.warn("rest", "layer %s: data after the end of the archive: ignored", l.ID)
		}
		if e := r.countSize(int64(n)); e != nil {
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

// readError adds the layer to a read error.
func readError(id string, err error) error {
	return DataError(fmt.Errorf("layer %s: %w", id, err))
}

// DataError gives err the status Bad, unless it is a system error: a failing or full
// disk does not make the layer bad.
func DataError(err error) error {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return err
	}
	return status.With(status.Bad, err)
}

// count checks an entry against the limits before it is stored.
func (r *Reader) count(h *tar.Header) error {
	if err := r.countEntry(); err != nil {
		return err
	}
	if err := r.countMeta(int64(len(h.Name)+len(h.Link)) + h.Extended); err != nil {
		return err
	}
	return r.countSize(h.Size)
}

// countMeta counts bytes of names and attributes.
func (r *Reader) countMeta(n int64) error {
	if r.meta.Add(n) > maxMeta {
		return fmt.Errorf("names and attributes of the image too large (limit %d bytes)", maxMeta)
	}
	return nil
}

// countEntry counts an entry or an implied directory: a name of 2 KiB may imply
// a thousand.
func (r *Reader) countEntry() error {
	if r.entries.Add(1) > r.MaxEntries {
		return fmt.Errorf("%w (limit %d)", ErrTooManyEntries, r.MaxEntries)
	}
	return nil
}

// countSize counts unpacked bytes.
func (r *Reader) countSize(n int64) error {
	if n > r.MaxSize || r.size.Add(n) > r.MaxSize {
		return fmt.Errorf("%w (limit %d bytes)", ErrTooLarge, r.MaxSize)
	}
	return nil
}

// maxMeta limits the bytes of names, targets and extended attributes of an
// image, which are held in memory.
const maxMeta = 512 << 20

// read adds one entry to the layer.
func (r *Reader) read(l *Layer, h *tar.Header, content io.Reader) error {
	if h.Type == tar.Global {
		return nil // not a file, and its values are ignored
	}
	name, err := tree.SplitLong(h.Name)
	if err != nil {
		return err
	}
	if ok, err := l.addWhiteout(name, h.Name); ok || err != nil {
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

// inode returns the inode that a header describes, without its content.
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
	if n.UID, err = owner("uid", h.UID); err != nil {
		return nil, err
	}
	if n.GID, err = owner("gid", h.GID); err != nil {
		return nil, err
	}
	r.setTime(n, h)
	return n, r.setXattrs(n, h)
}

// typeOf returns the file type of an entry. V7 archives, which have no typeflag
// for directories, mark them by a slash at the end of the name.
func typeOf(h *tar.Header) (tree.Type, error) {
	switch h.Type {
	case tar.File:
		switch {
		case !strings.HasSuffix(h.Name, "/"):
			return tree.File, nil
		case h.Size > 0:
			return 0, fmt.Errorf("directory with %d bytes of content", h.Size)
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
		return errors.New("symlink without a target")
	case strings.IndexByte(target, 0) >= 0:
		return errors.New("symlink target contains a NUL")
	case len(target) > tree.MaxTarget:
		return fmt.Errorf("symlink target too long: %d bytes (limit %d)", len(target), tree.MaxTarget)
	}
	return nil
}

// checkDevice checks device numbers against the range of dev_t (linux/kdev_t.h).
func checkDevice(h *tar.Header) error {
	if h.Major < 0 || h.Major >= 1<<12 || h.Minor < 0 || h.Minor >= 1<<20 {
		return fmt.Errorf("device %d,%d out of range", h.Major, h.Minor)
	}
	return nil
}

// owner checks a UID or GID. chown(2) takes 2^32-1 for "unchanged".
func owner(field string, v int64) (uint32, error) {
	if v < 0 || v > 1<<32-2 {
		return 0, fmt.Errorf("%s %d out of range", field, v)
	}
	return uint32(v), nil
}
