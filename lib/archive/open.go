// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/sparse"
)

// Files are the files below a directory. No name or symlink leads out of it.
type Files struct {
	FS      fs.FS  // its Stat does not open the file
	Source  string // image reference of a bundle, else the name of the file or directory
	closeFS func() error
}

// Close closes the directory.
func (f *Files) Close() error { return f.closeFS() }

// Open opens a directory, the tree of a bundle, or an archive, which it unpacks
// to scratch. A kernel image is copied to scratch and is the only file there.
func Open(ctx context.Context, scratch, path string, warn func(string)) (*Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openTree(path)
	}
	f, err := input.OpenStream(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if k, err := kernel.OpenFile(ctx, f); err == nil {
		return openFile(ctx, scratch, string(k.Format), f.File, filepath.Base(path))
	} else if !errors.Is(err, kernel.ErrNotKernel) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := Unpack(ctx, scratch, f, warn); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return openDir(scratch, filepath.Base(path))
}

// openTree opens a directory, or the tree of a bundle.
func openTree(path string) (*Files, error) {
	if _, err := os.Lstat(filepath.Join(path, bundle.ManifestFile)); err != nil {
		return openDir(path, filepath.Base(path))
	}
	r, err := bundle.ReadRecord(filepath.Join(path, bundle.RecordFile))
	if err != nil {
		return nil, err
	}
	if _, err := bundle.TreeOf(path); err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	root, err := dir.OpenRoot(bundle.TreeDir) // safe even if it was replaced by a symlink since
	if err != nil {
		return nil, err
	}
	return &Files{root.FS(), r.Reference, root.Close}, nil
}

func openDir(path, source string) (*Files, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Files{root.FS(), source, root.Close}, nil
}

// openFile makes a directory that holds only a copy of one regular file.
func openFile(ctx context.Context, dir, name string, from *os.File, source string) (*Files, error) {
	if err := input.CheckSize(from, kernel.MaxSize); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	to, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(sparse.Copy(ctx, to, from), to.Close()); err != nil {
		return nil, err
	}
	return openDir(dir, source)
}
