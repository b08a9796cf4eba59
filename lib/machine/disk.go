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
	"strings"

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

// growDisk makes a disk and its filesystem Spec.Size large, if they are smaller.
func (b *Boot) growDisk(ctx context.Context, path string) error {
	if small, err := b.isSmall(path); !small {
		return err
	}
	truncate := Command{Args: []string{"truncate", fmt.Sprintf("--size=%d", b.Size), path}}
	if err := b.do(truncate, func() error { return os.Truncate(path, b.Size) }); err != nil {
		return status.With(status.Create, err)
	}
	// 1 says that errors were corrected (e2fsck(8)).
	if err := b.e2fsprogs(ctx, path, status.Bad, 1, "e2fsck", "-fp"); err != nil {
		return err
	}
	return b.e2fsprogs(ctx, path, status.Create, 0, "resize2fs")
}

func (b *Boot) isSmall(path string) (bool, error) {
	if b.Size == 0 {
		return false, nil
	}
	info, err := os.Stat(path)
	if b.dry && errors.Is(err, fs.ErrNotExist) { // a copy that was not made
		info, err = os.Stat(b.rootfs())
	}
	return err == nil && info.Size() < b.Size, err
}

// e2fsprogs runs a tool on a disk, by the name of the file alone: what follows
// a ? in a path, these tools take for I/O options. failed is the status of an
// error, good the largest exit status that is none.
func (b *Boot) e2fsprogs(ctx context.Context, disk string, failed status.Code, good int, tool string, flags ...string) error {
	program, err := find(tool, "e2fsprogs")
	if err != nil {
		return err
	}
	dir, base := filepath.Split(disk)
	args := append(flags, base)
	return b.do(Command{Args: append([]string{program}, args...), Dir: filepath.Clean(dir)}, func() error {
		code, output, err := run(ctx, program, dir, args...)
		if err == nil && code > good {
			lines := strings.Split(output, "\n")
			err = status.Errorf(failed, "%s: %s: %s", disk, tool, lines[len(lines)-1])
		}
		return err
	})
}

// copied makes the disk of a machine that keeps none.
func (b *Boot) copied(ctx context.Context) error {
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
