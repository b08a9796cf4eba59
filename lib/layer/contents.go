// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"banger/lib/sparse"
	"banger/lib/tree"
)

const createFlags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// small is the size of a file, in bytes, up to which it is written while the
// archive is read on. Most files are; what they cost is being created.
const small = 256 << 10

// Contents keeps the contents of files in a private directory, under numbers.
type Contents struct {
	dir     *os.File
	last    atomic.Int64
	writers *errgroup.Group
	ctx     context.Context
	buffers sync.Pool
}

// NewContents returns the contents kept in an empty directory, which must stay
// open as long as they are used.
func NewContents(ctx context.Context, dir *os.File) *Contents {
	c := &Contents{dir: dir, buffers: sync.Pool{New: func() any { return new([small]byte) }}}
	c.writers, c.ctx = errgroup.WithContext(ctx)
	c.writers.SetLimit(runtime.GOMAXPROCS(0))
	return c
}

// Wait waits until all contents are written. Until then, the inodes that have
// them are not complete.
func (c *Contents) Wait() error { return c.writers.Wait() }

// add keeps the content that r has, size bytes, under a number of its own, and
// notes it in n.
func (c *Contents) add(n *tree.Inode, r io.Reader, size int64) error {
	n.Content = c.last.Add(1)
	if size > small {
		return c.write(n, r)
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	buf := c.buffers.Get().(*[small]byte)
	if _, err := io.ReadFull(r, buf[:size]); err != nil {
		return err
	}
	c.writers.Go(func() error {
		defer c.buffers.Put(buf)
		return c.write(n, bytes.NewReader(buf[:size]))
	})
	return nil
}

// write makes the file of a number.
func (c *Contents) write(n *tree.Inode, r io.Reader) error {
	name := strconv.FormatInt(n.Content, 10)
	fd, err := unix.Openat(int(c.dir.Fd()), name, createFlags, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), name)
	usage, err := sparse.Write(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	n.Size, n.Blocks, n.Runs = usage.Size, usage.Blocks, usage.Runs
	return err
}

// Place gives the content of n a name in a directory. While more names are to
// come, the number stays one of them.
func (c *Contents) Place(n *tree.Inode, more bool, dir *os.File, name string) error {
	from, to := int(c.dir.Fd()), int(dir.Fd())
	number := strconv.FormatInt(n.Content, 10)
	if more {
		return os.NewSyscallError("linkat", unix.Linkat(from, number, to, name, 0))
	}
	return os.NewSyscallError("renameat", unix.Renameat(from, number, to, name))
}

// Ensure gives a file that has no content a number too, so that several names
// can be given to it.
func (c *Contents) Ensure(n *tree.Inode) error {
	if n.Content != 0 {
		return nil
	}
	n.Content = c.last.Add(1)
	return Make(n, c.dir, strconv.FormatInt(n.Content, 10))
}

// Make makes what stands for a file without content on the host: a symlink is
// itself, everything else an empty file.
func Make(n *tree.Inode, dir *os.File, name string) error {
	if n.Type == tree.Symlink {
		return os.NewSyscallError("symlinkat", unix.Symlinkat(n.Target, int(dir.Fd()), name))
	}
	fd, err := unix.Openat(int(dir.Fd()), name, createFlags, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	return os.NewSyscallError("close", unix.Close(fd))
}
