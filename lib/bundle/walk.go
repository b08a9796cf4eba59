// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"banger/lib/mtree"
	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// errChanged is the error for a file that changes after its size was read.
var errChanged = errors.New("changed while being read")

// An entry is a name in a directory on disk.
type entry struct {
	dir  *tree.Inode // the directory in the tree
	in   *os.File    // the directory on disk
	name string
	stat unix.Stat_t
}

// A fileID identifies a file on disk.
type fileID struct{ dev, ino uint64 }

func (e entry) id() fileID { return fileID{e.stat.Dev, e.stat.Ino} }

// readlink returns the target of a symlink.
func (e entry) readlink() (string, error) {
	buf := make([]byte, tree.MaxTarget+1)
	n, err := unix.Readlinkat(int(e.in.Fd()), e.name, buf)
	return string(buf[:max(0, n)]), os.NewSyscallError("readlinkat", err)
}

// open opens a regular file for reading. It neither follows a symlink nor blocks
// on a FIFO, in case the entry was replaced since stat(2).
func (e entry) open() (*os.File, error) {
	fd, err := unix.Openat(int(e.in.Fd()), e.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), e.name)
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, errChanged)
	}
	return f, nil
}

// A Measure reads a file and counts the blocks that are not all zeros. It is
// called concurrently.
type Measure func(ctx context.Context, n *tree.Inode, f *os.File) (sparse.Usage, error)

// A walker walks a directory on disk and a tree in parallel. It measures files
// on all processors; without a Measure it estimates their blocks from the holes
// on the host.
type walker struct {
	measure Measure
	// visit returns the inode of an entry, or nil for a hard link to a file
	// already visited.
	visit func(e entry) (*tree.Inode, error)
	ctx   context.Context
	files *errgroup.Group
}

func newWalker(ctx context.Context, visit func(entry) (*tree.Inode, error), m Measure) *walker {
	w := &walker{visit: visit, measure: m}
	w.files, w.ctx = errgroup.WithContext(ctx)
	w.files.SetLimit(runtime.GOMAXPROCS(0))
	return w
}

// walk walks the directory root on disk, which is the root of the tree.
func (w *walker) walk(root string, t *tree.Inode) error {
	f, err := openRoot(root)
	if err != nil {
		return err
	}
	defer f.Close()
	err = w.dir(t, f)
	if filesErr := w.files.Wait(); filesErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = filesErr // which canceled the walk
	}
	return err
}

// openRoot opens the root directory of a tree. It does not follow a symlink.
func openRoot(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// dir visits the entries of a directory in the order of their names. A name in
// the tree that is not on disk is a mismatch.
func (w *walker) dir(d *tree.Inode, f *os.File) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.entry(entry{dir: d, in: f, name: name}); err != nil {
			return err
		}
	}
	if d.Len() == len(names) {
		return nil
	}
	for _, name := range d.Names() {
		if _, found := slices.BinarySearch(names, name); !found {
			return mismatchf(d, name, "in the manifest, not in the tree")
		}
	}
	return nil
}

// entry visits one entry and those below it.
func (w *walker) entry(e entry) error {
	err := unix.Fstatat(int(e.in.Fd()), e.name, &e.stat, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return e.wrap(os.NewSyscallError("fstatat", err))
	}
	n, err := w.visit(e)
	if err != nil || n == nil {
		return err
	}
	switch {
	case n.Type == tree.Dir:
		sub, err := openDir(e.in, e.name)
		if err != nil {
			return e.wrap(err)
		}
		defer sub.Close()
		return w.dir(n, sub)
	case n.Type == tree.File && n.Size > 0:
		// A file without holes need not be opened.
		if w.measure == nil && e.stat.Blocks*512 >= n.Size {
			n.Blocks, n.Runs = sparse.Blocks(n.Size), 1
			return nil
		}
		f, err := e.open()
		if err != nil {
			return e.wrap(err)
		}
		w.files.Go(func() error { return w.file(e, n, f) })
	}
	return nil
}

// link adds the entry to the tree as a hard link.
func (e entry) link(same *tree.Inode) error {
	if err := e.dir.Link(e.name, same, nil); err != nil {
		return status.With(status.Bad, e.wrap(err))
	}
	return nil
}

// wrap adds the path of the entry to err.
func (e entry) wrap(err error) error {
	return fmt.Errorf("./%s: %w", mtree.Escape(e.dir.Join(e.name)), err)
}

// file measures a file or estimates its blocks.
func (w *walker) file(e entry, n *tree.Inode, f *os.File) error {
	defer f.Close()
	var usage sparse.Usage
	var err error
	if w.measure == nil {
		usage, err = sparse.Estimate(f, n.Size)
	} else {
		usage, err = w.measure(w.ctx, n, f)
	}
	if err == nil && usage.Size != n.Size {
		err = errChanged
	}
	if err != nil {
		return e.wrap(err)
	}
	n.Blocks, n.Runs = usage.Blocks, usage.Runs
	return nil
}
