// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// WriteTar writes the source as a pax archive. Names start with ./, as in the
// manifest; a directory comes before its entries, a hard link after its file.
// The same source makes the same bytes.
//
// Sockets, which tar does not support, are skipped with a warning. Names that are
// whiteouts in a layer are written with a warning.
func (s *Source) WriteTar(ctx context.Context, w io.Writer, warn func(string)) error {
	root, err := openRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	bw := bufio.NewWriterSize(w, 1<<20)
	a := archiver{ctx: ctx, tar: tar.NewWriter(bw), first: map[*tree.Inode]string{}, warn: warn, buf: make([]byte, 256<<10)}
	err = a.tree(s.Tree.Root, root)
	if flushErr := bw.Flush(); flushErr != nil {
		return flushErr // without the path of err, which is not at fault
	}
	return err
}

// An archiver writes a tree and its contents to an archive.
type archiver struct {
	ctx   context.Context
	tar   *tar.Writer
	first map[*tree.Inode]string // first name written, of files with hard links
	warn  func(string)
	buf   []byte
}

// tree writes all entries and the end of the archive.
func (a *archiver) tree(d *tree.Inode, f *os.File) error {
	if err := a.header("./", d, ""); err != nil {
		return fmt.Errorf(".: %w", err)
	}
	if err := a.dir("./", d, f); err != nil {
		return err
	}
	return a.tar.Close()
}

// dir writes the entries below a directory. path ends with a slash.
func (a *archiver) dir(path string, d *tree.Inode, f *os.File) error {
	for _, name := range d.Names() {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		e, n := entry{dir: d, in: f, name: name}, d.Lookup(name)
		if strings.HasPrefix(name, ".wh.") {
			a.warn(e.wrap(errors.New("would be a whiteout in a layer")).Error())
		}
		if n.Type == tree.Dir {
			if err := a.subdir(path+name+"/", n, e); err != nil {
				return err
			}
			continue
		}
		if err := a.file(path+name, n, e); err != nil {
			return e.wrap(err)
		}
	}
	return nil
}

// subdir writes a directory and the entries below it.
func (a *archiver) subdir(path string, n *tree.Inode, e entry) error {
	if err := a.header(path, n, ""); err != nil {
		return e.wrap(err)
	}
	f, err := openDir(e.in, e.name)
	if err != nil {
		return e.wrap(err)
	}
	defer f.Close()
	return a.dir(path, n, f)
}

// file writes an entry that is not a directory.
func (a *archiver) file(path string, n *tree.Inode, e entry) error {
	if n.Type == tree.Socket {
		a.warn(e.wrap(errors.New("socket: unsupported by tar: skipped")).Error())
		return nil
	}
	first := a.first[n]
	if first == "" && n.Nlink > 1 {
		a.first[n] = path
	}
	if err := a.header(path, n, first); err != nil {
		return err
	}
	if first != "" || n.Type != tree.File || n.Size == 0 {
		return nil
	}
	return a.content(n, e)
}

// content writes the content of a file. It fails if the size differs from the
// one in the header.
func (a *archiver) content(n *tree.Inode, e entry) error {
	f, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := io.CopyBuffer(a.tar, sparse.Interruptible(a.ctx, f), a.buf)
	switch {
	case errors.Is(err, tar.ErrWriteTooLong):
		return errChanged
	case err == nil && copied != n.Size:
		return errChanged
	}
	return err
}

// header writes the header of a file, or of a hard link to first if that is not
// empty.
func (a *archiver) header(path string, n *tree.Inode, first string) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Typeflag: typeflags[n.Type], Name: path, Linkname: n.Target,
		Mode: int64(n.Mode), Uid: int(n.UID), Gid: int(n.GID), ModTime: time.Unix(n.Sec, int64(n.Nsec)),
		Size: n.Size, Devmajor: int64(n.Major), Devminor: int64(n.Minor), PAXRecords: records(n.Xattrs),
	}
	if first != "" {
		// Keep the metadata: some readers apply that of the hard link again.
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	}
	if !utf8.ValidString(path + h.Linkname) {
		h.PAXRecords["hdrcharset"] = "BINARY" // pax(1) assumes UTF-8 otherwise
	}
	err := a.tar.WriteHeader(h)
	if errors.Is(err, tar.ErrFieldTooLong) {
		return status.Errorf(status.Bad, "names and xattrs too large for a header (limit 1 MiB)")
	}
	return err
}

var typeflags = map[tree.Type]byte{
	tree.File: tar.TypeReg, tree.Dir: tar.TypeDir, tree.Symlink: tar.TypeSymlink,
	tree.Char: tar.TypeChar, tree.Block: tar.TypeBlock, tree.Fifo: tar.TypeFifo,
}

// keyEscaper escapes a name for the key of a pax record, which ends at the first
// =.
var keyEscaper = strings.NewReplacer("%", "%25", "=", "%3D")

// records returns extended attributes as pax records: raw as star writes them,
// which all tars read, or encoded as libarchive does if the name has a =.
func records(xattrs []tree.Xattr) map[string]string {
	all := make(map[string]string, len(xattrs))
	for _, x := range xattrs {
		if strings.Contains(x.Name, "=") {
			all["LIBARCHIVE.xattr."+keyEscaper.Replace(x.Name)] = base64.RawStdEncoding.EncodeToString([]byte(x.Value))
		} else {
			all["SCHILY.xattr."+x.Name] = x.Value
		}
	}
	return all
}
