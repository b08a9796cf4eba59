// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"banger/lib/status"
	"banger/lib/tree"
)

// An FS is the content of an image as an fs.FS, without lost+found. Symlinks are
// followed within the image.
type FS struct {
	image *Image
	tree  *tree.Tree
}

// NewFS returns the content of the image in a file, which the FS closes. The names
// are read at once, the contents when they are asked for.
func NewFS(ctx context.Context, f *os.File) (*FS, error) {
	m := &Image{f: f}
	err := m.load()
	var t *tree.Tree
	if err == nil {
		t, err = m.ReadTree(ctx)
	}
	if err != nil {
		return nil, status.With(status.Bad, err)
	}
	t.Root.Remove("lost+found", nil)
	return &FS{m, t}, nil
}

// Close closes the image. A nil FS may be closed.
func (f *FS) Close() error {
	if f == nil {
		return nil
	}
	return f.image.Close()
}

// UUID returns the UUID of the filesystem.
func (f *FS) UUID() string { return f.image.UUID() }

// Open opens a file or a directory.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file := fsFile{info: fsInfo{path.Base(name), n}}
	if n.Type == tree.Dir {
		return &fsDir{fsFile: file, names: n.Names()}, nil
	}
	content, err := f.image.Content(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file.SectionReader = io.NewSectionReader(content, 0, content.Size)
	return file, nil
}

// find returns what a name leads to.
func (f *FS) find(name string) (*tree.Inode, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	parts, err := tree.Split(name)
	if err != nil {
		return nil, err
	}
	for range maxLinks {
		n, err := f.tree.Find(parts)
		if n == nil || err != nil {
			return nil, fs.ErrNotExist
		}
		if n.Type != tree.Symlink {
			return n, nil
		}
		target := n.Target
		if !path.IsAbs(target) { // lexical: a symlink to a directory before ".." leads elsewhere
			target = path.Join(path.Join(parts[:len(parts)-1]...), target)
		}
		if parts, err = tree.Split(target); err != nil {
			return nil, err
		}
	}
	return nil, fs.ErrNotExist
}

// An fsFile is an open file of an FS.
type fsFile struct {
	*io.SectionReader
	info fsInfo
}

func (f fsFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f fsFile) Close() error               { return nil }

// An fsDir is an open directory of an FS.
type fsDir struct {
	fsFile
	names []string // not yet returned
}

func (d *fsDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *fsDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.names) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.names) {
		n = len(d.names)
	}
	entries := make([]fs.DirEntry, n)
	for i, name := range d.names[:n] {
		entries[i] = fs.FileInfoToDirEntry(fsInfo{name, d.info.inode.Lookup(name)})
	}
	d.names = d.names[n:]
	return entries, nil
}

// An fsInfo describes a file of an FS.
type fsInfo struct {
	name  string
	inode *tree.Inode
}

func (i fsInfo) Name() string       { return i.name }
func (i fsInfo) Size() int64        { return i.inode.Size }
func (i fsInfo) ModTime() time.Time { return time.Unix(i.inode.Sec, int64(i.inode.Nsec)) }
func (i fsInfo) IsDir() bool        { return i.inode.Type == tree.Dir }
func (i fsInfo) Sys() any           { return nil }
func (i fsInfo) Mode() fs.FileMode {
	return fileModes[i.inode.Type] | fs.FileMode(i.inode.Mode)&fs.ModePerm
}
