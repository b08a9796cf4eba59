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

// WriteTar writes the source as one pax archive: names as in the manifest, ./
// being the root, a directory before what is in it, a hard link after its file.
// The same source makes the same bytes.
//
// An archive has no sockets: each is left out, and warn hears of it; of names
// too that a reader of layers would not take for names.
func (s *Source) WriteTar(ctx context.Context, w io.Writer, warn func(string)) error {
	root, err := openRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	bw := bufio.NewWriterSize(w, 1<<20)
	a := archiver{ctx: ctx, tar: tar.NewWriter(bw), first: map[*tree.Inode]string{}, warn: warn, buf: make([]byte, 256<<10)}
	err = a.tree(s.Tree.Root, root)
	if failed := bw.Flush(); failed != nil {
		return failed // no fault of the file that was at hand
	}
	return err
}

// An archiver writes a tree, and reads its contents beside.
type archiver struct {
	ctx   context.Context
	tar   *tar.Writer
	first map[*tree.Inode]string // the name that a file with several has had
	warn  func(string)
	buf   []byte
}

// tree writes all of it, and the archive's end.
func (a *archiver) tree(d *tree.Inode, f *os.File) error {
	if err := a.header("./", d, ""); err != nil {
		return fmt.Errorf(".: %w", err)
	}
	if err := a.dir("./", d, f); err != nil {
		return err
	}
	return a.tar.Close()
}

// dir writes what is below a directory, whose path ends with a slash.
func (a *archiver) dir(path string, d *tree.Inode, f *os.File) error {
	for _, name := range d.Names() {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		e, n := entry{dir: d, in: f, name: name}, d.Lookup(name)
		if strings.HasPrefix(name, ".wh.") {
			a.warn(e.errorf(errors.New("in a layer, a name like this removes another file")).Error())
		}
		if n.Type == tree.Dir {
			if err := a.subdir(path+name+"/", n, e); err != nil {
				return err
			}
			continue
		}
		if err := a.file(path+name, n, e); err != nil {
			return e.errorf(err)
		}
	}
	return nil
}

// subdir writes a directory and what is below it.
func (a *archiver) subdir(path string, n *tree.Inode, e entry) error {
	if err := a.header(path, n, ""); err != nil {
		return e.errorf(err)
	}
	f, err := openDir(e.in, e.name)
	if err != nil {
		return e.errorf(err)
	}
	defer f.Close()
	return a.dir(path, n, f)
}

// file writes one name of what is no directory.
func (a *archiver) file(path string, n *tree.Inode, e entry) error {
	if n.Type == tree.Socket {
		a.warn(e.errorf(errors.New("a socket: left out, an archive cannot hold it")).Error())
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

// content writes what is in a file. It is neither cut nor filled up to the size
// that its header has said.
func (a *archiver) content(n *tree.Inode, e entry) error {
	f, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := io.CopyBuffer(a.tar, sparse.Interruptible(a.ctx, f), a.buf)
	switch {
	case errors.Is(err, tar.ErrWriteTooLong):
		return fmt.Errorf("%d bytes became more: did the tree change meanwhile?", n.Size)
	case err == nil && copied != n.Size:
		return fmt.Errorf("%d bytes became %d: did the tree change meanwhile?", n.Size, copied)
	}
	return err
}

// header writes all but the content of a file, or that it is another name of
// first.
func (a *archiver) header(path string, n *tree.Inode, first string) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Typeflag: typeflags[n.Type], Name: path, Linkname: n.Target,
		Mode: int64(n.Mode), Uid: int(n.UID), Gid: int(n.GID), ModTime: time.Unix(n.Sec, int64(n.Nsec)),
		Size: n.Size, Devmajor: int64(n.Major), Devminor: int64(n.Minor), PAXRecords: records(n.Xattrs),
	}
	if first != "" {
		// With the file's metadata: there are readers that apply it again.
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	}
	if !utf8.ValidString(path + h.Linkname) {
		h.PAXRecords["hdrcharset"] = "BINARY" // to pax(1), records are UTF-8 unless told
	}
	err := a.tar.WriteHeader(h)
	if errors.Is(err, tar.ErrFieldTooLong) {
		return status.Errorf(status.Bad, "its names and xattrs take more than 1 MiB, an archive's header has no more")
	}
	return err
}

var typeflags = map[tree.Type]byte{
	tree.File: tar.TypeReg, tree.Dir: tar.TypeDir, tree.Symlink: tar.TypeSymlink,
	tree.Char: tar.TypeChar, tree.Block: tar.TypeBlock, tree.Fifo: tar.TypeFifo,
}

// keyEscaper writes a name so that it can stand in the key of a pax record,
// which ends at the first =.
var keyEscaper = strings.NewReplacer("%", "%25", "=", "%3D")

// records makes pax records of extended attributes: star's raw ones, which all
// read, or where the name has what ends a record's key, libarchive's.
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
