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

// Contents stores file contents in a private directory, under numbers.
type Contents struct {
	dir *os.File
	*pool

	mu   sync.Mutex
	last int64
}

// NewContents returns Contents that stores into dir, an empty directory that
// must stay open while it is used.
func NewContents(ctx context.Context, dir *os.File) *Contents {
	return &Contents{dir: dir, pool: newPool(ctx)}
}

// Keep stores the content of a file under a new number and sets n.Content.
func (c *Contents) Keep(n *tree.Inode, src *sparse.Source) (err error) {
	if n.Content, err = c.number(); err != nil {
		return err
	}
	return c.do(src, func(src *sparse.Source) error { return c.write(n, src) })
}

// shard is the number of files in one directory. In a large directory, creating
// and renaming a name costs more than writing the file.
const shard = 100

// number returns an unused number and creates its directory.
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

// path returns the path of a number in the private directory.
func path(number int64) string {
	return strconv.FormatInt(number/shard, 10) + "/" + strconv.FormatInt(number%shard, 10)
}

// write creates the file that holds the content of n.
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

// Place names the content of n in dir. It links the file if more names follow,
// and renames it otherwise.
func (c *Contents) Place(n *tree.Inode, more bool, dir *os.File, name string) error {
	from, to := int(c.dir.Fd()), int(dir.Fd())
	number := path(n.Content)
	if more {
		return os.NewSyscallError("linkat", unix.Linkat(from, number, to, name, 0))
	}
	return os.NewSyscallError("renameat", unix.Renameat(from, number, to, name))
}

// Ensure gives a file without content a number too, so that it can be linked.
func (c *Contents) Ensure(n *tree.Inode) (err error) {
	if n.Content != 0 {
		return nil
	}
	if n.Content, err = c.number(); err != nil {
		return err
	}
	return Make(n, c.dir, path(n.Content))
}

// Make creates the stand-in on the host for a file without content: a symlink
// for a symlink, an empty file for everything else.
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
