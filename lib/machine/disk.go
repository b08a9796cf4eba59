// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/sparse"
	"banger/lib/status"
)

// copyHint is the hint for a copy that there is no room for.
const copyHint = "set TMPDIR to a directory with more space, or use --keep FILE"

// copyDisk makes a new file of the content of another, holes kept, the blocks
// shared where the filesystem can.
func (b *Boot) copyDisk(ctx context.Context, from, to string) error {
	cp := Command{Args: []string{"cp", "--reflink=auto", "--sparse=always", "--no-preserve=mode,ownership", from, to}}
	return b.do(cp, func() error { return b.copyFile(ctx, from, to) })
}

func (b *Boot) copyFile(ctx context.Context, from, to string) error {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(b.current(), err)
	}
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(sparse.Copy(ctx, dst, src), dst.Close())
	}
	if err != nil && ctx.Err() == nil {
		err = status.Hint(status.With(status.Create, fmt.Errorf("%s: %w", to, cause(err))), copyHint)
	}
	return err
}

// cause returns the error of the system in one that names a file.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// copied makes the disk of a machine that keeps none.
func (b *Boot) copied(ctx context.Context) error {
	if _, err := b.imageSize(); err != nil {
		return err
	}
	if b.Build != nil {
		return b.diskOfBuild(ctx)
	}
	b.disk = filepath.Join(b.files, "rootfs.ext4")
	if !b.dry {
		os.Remove(b.disk) // that of an attempt before
	}
	if err := b.copyDisk(ctx, b.rootfs(), b.disk); err != nil {
		return err
	}
	return b.current()
}

// sameContent reports whether two files hold the same bytes.
func sameContent(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	info, err := os.Lstat(b)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(x)) {
		return false, err
	}
	y, err := os.ReadFile(b)
	return bytes.Equal(x, y), err
}
