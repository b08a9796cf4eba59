// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/lib/bundle"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/sparse"
	"banger/lib/status"
)

// copyDocument copies a document into a new file.
func copyDocument(dst, src string) error {
	raw, err := bundle.ReadDocument(src)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, raw, 0o666)
}

// copyFile copies a file and keeps its holes.
func copyFile(ctx context.Context, dst, src string) error {
	from, err := input.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	return copyOpen(ctx, dst, from, src)
}

// copyOpen copies an open file into a new one.
func copyOpen(ctx context.Context, dst string, from fs.File, name string) error {
	if info, err := from.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, status.Errorf(status.NoInput, "%s: not a file", name))
	}
	to, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if f, ok := from.(*os.File); ok {
		err = sparse.Copy(ctx, to, f)
	} else {
		_, err = io.Copy(to, from)
	}
	return errors.Join(err, to.Close())
}

// A copier copies the parts of one kernel, of kernel.MaxSize bytes in total. Each
// hard link becomes a file, and each symlink a copy of its target.
type copier struct {
	files fs.FS
	left  int64 // bytes
	links bool  // a hard link will do
}

func newCopier(files fs.FS) *copier { return &copier{files: files, left: kernel.MaxSize} }

// part copies a file, or a directory and everything in it. It syncs nothing.
func (c *copier) part(ctx context.Context, dst, src string) error {
	return fs.WalkDir(c.files, src, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(src, name)
		if err != nil {
			return err
		}
		switch to := filepath.Join(dst, rest); {
		case d.IsDir():
			return os.Mkdir(to, 0o777)
		case d.Type() == fs.ModeSymlink && toSources(name):
			return nil
		default:
			return c.file(ctx, to, name, d.Type() == fs.ModeSymlink)
		}
	})
}

// toSources reports whether a symlink among modules leads to the kernel's sources.
func toSources(name string) bool {
	base := path.Base(name)
	return base == "build" || base == "source"
}

func (c *copier) file(ctx context.Context, dst, src string, isLink bool) error {
	info, err := fs.Stat(c.files, src)
	switch {
	case err != nil && isLink && !errors.Is(err, fs.ErrPermission):
		return status.Errorf(status.Bad, "dangling or escaping symlink: %w", err)
	case err != nil:
		return err
	case !info.Mode().IsRegular(): // opening a FIFO would block
		return status.Errorf(status.Bad, "%s: neither a file nor a directory", src)
	}
	if c.left -= info.Size(); c.left < 0 {
		return status.Errorf(status.Bad, "%s: kernel too large (limit %d bytes)", src, int64(kernel.MaxSize))
	}
	from, err := c.files.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	if c.links && link(dst, from) {
		return nil
	}
	return copyOpen(ctx, dst, from, src)
}

// syncFilesystem syncs the whole filesystem: a kernel has too many modules to
// sync each.
func syncFilesystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
