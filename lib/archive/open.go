// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/kernel"
)

// Files are those of a directory. No name in it, and no symlink, leads out.
type Files struct {
	fs.FS
	close func() error
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
		if tree := filepath.Join(path, bundle.TreeDir); isDir(tree) && exists(filepath.Join(path, bundle.ManifestFile)) {
			path = tree
		}
		return openDir(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if k, err := kernel.OpenFile(f); err == nil {
		return one(scratch, string(k.Format), f)
	} else if !errors.Is(err, kernel.ErrNotKernel) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := Unpack(ctx, scratch, f, warn); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return openDir(scratch)
}

func openDir(path string) (*Files, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Files{root.FS(), root.Close}, nil
}

// one makes a directory of one file.
func one(dir, name string, from io.ReadSeeker) (*Files, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	to, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = from.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return nil, err
	}
	return openDir(dir)
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
