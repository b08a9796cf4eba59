// SPDX-License-Identifier: Apache-2.0

// Package archive lays packages and tars out on disk, as safely as layers of
// an image: nothing that an archive says is ever a path on the host.
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

// Unpack lays out what r holds, a tar or a Debian package, below a directory
// that is not there yet: directories and files that only the caller may read,
// symlinks as they are, an empty file for everything else. r is read to its
// end, so that what checks it has seen all of it. warn hears of what is not kept.
// On an error, a part of dir may be left.
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

// numbered are the contents of an archive's files, under numbers, in a
// directory of their own.
type numbered struct {
	*layer.Contents
	*os.File
	path string
}

// replay reads an archive as the one layer of an image. The contents of its
// files are kept beside dir.
func replay(ctx context.Context, dir string, r io.Reader, warn func(string)) (*tree.Tree, *numbered, error) {
	in := bufio.NewReader(sparse.Interruptible(ctx, r))
	data, err := open(in)
	if err != nil {
		return nil, nil, layer.Fault(err)
	}
	defer data.Close()
	path := dir + ".contents"
	f, err := makeDir(path)
	if err != nil {
		return nil, nil, err
	}
	n := &numbered{layer.NewContents(ctx, f), f, path}
	reader := &layer.Reader{Contents: n.Contents, MaxSize: kernel.MaxSize, MaxEntries: kernel.MaxEntries, Warn: warn}
	// Without its blocks of zeros it may be cut between two entries: no digest
	// would tell.
	reader.Terminated = true
	l, err := reader.Read(ctx, "archive", data)
	if e := n.Wait(); err == nil {
		err = e
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in)
		err = layer.Fault(err)
	}
	t := tree.New(tree.Inode{Mode: 0o755})
	if err == nil {
		err = l.Apply(ctx, t, nil)
	}
	if err != nil {
		f.Close()
		return nil, nil, errors.Join(err, os.RemoveAll(path))
	}
	return t, n, nil
}

// open returns the tar in what in holds.
func open(in *bufio.Reader) (io.ReadCloser, error) {
	magic, err := in.Peek(len(arMagic))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(magic) == 0 {
		return nil, status.Errorf(status.Bad, "nothing in it")
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
