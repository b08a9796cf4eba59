// SPDX-License-Identifier: Apache-2.0

package sparse

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Copy copies src to dst, which must be empty. It makes a reflink where the
// filesystem supports it, and otherwise copies the data and keeps the holes.
func Copy(ctx context.Context, dst, src *os.File) error {
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for from, to := int64(0), int64(0); ; from = to {
		from, to, err = NextData(src, from)
		if err != nil || from == to {
			return err
		}
		if err := copyRange(ctx, dst, src, from, to); err != nil {
			return err
		}
	}
}

// NextData returns the first range of data in f at or after off. The range is
// empty if only a hole follows.
func NextData(f *os.File, off int64) (from, to int64, err error) {
	from, err = f.Seek(off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return off, off, nil
	}
	if err == nil {
		to, err = f.Seek(from, unix.SEEK_HOLE)
	}
	return from, to, err
}

// step is the number of bytes copied between checks of the context.
const step = 64 << 20

// copyRange copies a range of data.
func copyRange(ctx context.Context, dst, src *os.File, from, to int64) error {
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := src.Seek(from, io.SeekStart); err != nil {
			return err
		}
		if _, err := dst.Seek(from, io.SeekStart); err != nil {
			return err
		}
		n, err := io.CopyN(dst, src, min(step, to-from))
		if err != nil {
			return err
		}
		from += n
	}
	return nil
}

// Read writes the content of f to w. Holes are written as zeros and not read.
func Read(ctx context.Context, w io.Writer, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		from, to, err := NextData(f, at)
		if err != nil {
			return err
		}
		if from == to {
			from, to = info.Size(), info.Size()
		}
		if err := writeZeros(w, from-at); err != nil {
			return err
		}
		to = min(to, from+step)
		if _, err := io.Copy(w, io.NewSectionReader(f, from, to-from)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		at = to
	}
	return nil
}

func writeZeros(w io.Writer, n int64) error {
	var zeros [chunk]byte
	for n > 0 {
		m, err := w.Write(zeros[:min(n, chunk)])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}
