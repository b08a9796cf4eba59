// SPDX-License-Identifier: Apache-2.0

// Package archive unpacks tars and Debian packages as safely as the layers of an
// image: no name in an archive is used as a path on the host.
package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"banger/lib/bundle"
	"banger/lib/decompress"
	"banger/lib/kernel"
	"banger/lib/layer"
	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// Unpack unpacks a tar or a Debian package to dir, which must not exist.
// Directories and files are readable by the caller only; symlinks are kept;
// everything else becomes an empty file. Unpack reads r to its end, so that a
// verifying reader sees all of it. It calls warn for skipped metadata. On an error
// it may leave a part of dir.
func Unpack(ctx context.Context, dir string, r io.Reader, warn func(string)) error {
	t, contents, err := replay(ctx, dir, r, warn)
	if err != nil {
		return err
	}
	defer contents.Close()
	root, err := makeDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(bundle.Place(ctx, t, contents.Contents, root), os.RemoveAll(contents.path))
}

// contents holds the file contents of an archive, under numbers, in a directory
// of its own.
type contents struct {
	*layer.Contents
	*os.File
	path string
}

// replay reads an archive as the only layer of an image. It stores the file
// contents in dir.contents.
func replay(ctx context.Context, dir string, r io.Reader, warn func(string)) (*tree.Tree, *contents, error) {
	in := bufio.NewReader(sparse.Interruptible(ctx, r))
	data, err := open(in)
	if err != nil {
		return nil, nil, layer.DataError(err)
	}
	defer data.Close()
	path := dir + ".contents"
	f, err := makeDir(path)
	if err != nil {
		return nil, nil, err
	}
	c := &contents{layer.NewContents(ctx, f), f, path}
	reader := &layer.Reader{Contents: c.Contents, MaxSize: kernel.MaxSize, MaxEntries: kernel.MaxEntries, Warn: warn}
	// There may be no digest: without an end of archive it could be truncated
	// between two entries.
	reader.Terminated = true
	l, err := reader.Read(ctx, "archive", data)
	if e := c.Wait(); err == nil {
		err = e
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in)
		err = layer.DataError(err)
	}
	t := tree.New(tree.Inode{Mode: 0o755})
	if err == nil {
		err = l.Apply(ctx, t, nil)
	}
	if err != nil {
		f.Close()
		return nil, nil, errors.Join(err, os.RemoveAll(path))
	}
	return t, c, nil
}

// open returns the decompressed tar in a tar or Debian package.
func open(in *bufio.Reader) (io.ReadCloser, error) {
	magic, err := in.Peek(len(arMagic))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(magic) == 0 {
		return nil, status.Errorf(status.Bad, "empty")
	}
	if !bytes.Equal(magic, []byte(arMagic)) {
		return decompress.All.Reader(in)
	}
	data, err := openDeb(in)
	if err != nil {
		return nil, fmt.Errorf("package: %w", err)
	}
	return decompress.All.Reader(data)
}

func makeDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, status.With(status.Create, err)
	}
	return os.Open(path)
}
