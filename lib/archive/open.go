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

// Files are those of a directory. No name in it, and no symlink, leads out.
type Files struct {
	FS     fs.FS  // which tells what a file is without opening it
	Source string // what they are of: an image's reference, or a name on the host
	close  func() error
}

// Close closes the directory.
func (f *Files) Close() error { return f.close() }

// Open opens the files of a directory, of a bundle's tree, or of an archive,
// which is laid out at scratch first. The one file of a kernel is a directory
// that holds it.
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
		return one(ctx, scratch, string(k.Format), f.File, filepath.Base(path))
	} else if !errors.Is(err, kernel.ErrNotKernel) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := Unpack(ctx, scratch, f, warn); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return openDir(scratch, filepath.Base(path))
}

// openTree opens a directory, or the tree of one that is a bundle.
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
	root, err := dir.OpenRoot(bundle.TreeDir) // a symlink that was put there meanwhile leads out of nothing
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

// one makes a directory of one regular file.
func one(ctx context.Context, dir, name string, from *os.File, source string) (*Files, error) {
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
