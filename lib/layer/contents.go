// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"context"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"banger/lib/sparse"
	"banger/lib/tree"
)

const createFlags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// Contents keeps the contents of files in a private directory, under numbers.
type Contents struct {
	dir *os.File
	*beside

	mu   sync.Mutex
	last int64
}

// NewContents returns the contents kept in an empty directory, which must stay
// open as long as they are used.
func NewContents(ctx context.Context, dir *os.File) *Contents {
	return &Contents{dir: dir, beside: newBeside(ctx)}
}

// Keep keeps the content of a file under a number of its own, and notes it in n.
func (c *Contents) Keep(n *tree.Inode, src *sparse.Source) (err error) {
	if n.Content, err = c.number(); err != nil {
		return err
	}
	return c.do(src, func(src *sparse.Source) error { return c.write(n, src) })
}

// shard is how many contents are in one directory: in a large one, making a
// name and taking it away again cost more than the file.
const shard = 100

// number returns a number that is not in use, and whose directory is there.
func (c *Contents) number() (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	if c.last > 1 && c.last%shard != 0 {
		return c.last, nil
	}
	err := unix.Mkdirat(int(c.dir.Fd()), strconv.FormatInt(c.last/shard, 10), 0o700)
	return c.last, os.NewSyscallError("mkdirat", err)
}

// path is where the content with a number is, in the private directory.
func path(number int64) string {
	return strconv.FormatInt(number/shard, 10) + "/" + strconv.FormatInt(number%shard, 10)
}

// write makes the file of a number.
func (c *Contents) write(n *tree.Inode, src *sparse.Source) error {
	name := path(n.Content)
	fd, err := unix.Openat(int(c.dir.Fd()), name, createFlags, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), name)
	usage, err := sparse.Write(f, src)
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
	number := path(n.Content)
	if more {
		return os.NewSyscallError("linkat", unix.Linkat(from, number, to, name, 0))
	}
	return os.NewSyscallError("renameat", unix.Renameat(from, number, to, name))
}

// Ensure gives a file that has no content a number too, so that several names
// can be given to it.
func (c *Contents) Ensure(n *tree.Inode) (err error) {
	if n.Content != 0 {
		return nil
	}
	if n.Content, err = c.number(); err != nil {
		return err
	}
	return Make(n, c.dir, path(n.Content))
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
