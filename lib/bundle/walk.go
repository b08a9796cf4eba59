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

// An entry is a name in a directory on disk.
type entry struct {
	dir  *tree.Inode // what the directory is in the tree
	in   *os.File    // and on disk
	name string
	stat unix.Stat_t
}

// fileID is what tells files on disk apart.
type fileID struct{ dev, ino uint64 }

func (e entry) id() fileID { return fileID{e.stat.Dev, e.stat.Ino} }

// readlink reads a symlink without following one.
func (e entry) readlink() (string, error) {
	buf := make([]byte, tree.MaxTarget+1)
	n, err := unix.Readlinkat(int(e.in.Fd()), e.name, buf)
	return string(buf[:max(0, n)]), os.NewSyscallError("readlinkat", err)
}

// open opens a file for reading. A symlink is not followed, and nobody waited
// for: what was a file when the entry was looked at has to be one still.
func (e entry) open() (*os.File, error) {
	fd, err := unix.Openat(int(e.in.Fd()), e.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), e.name)
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, errors.New("no file any more: did the tree change meanwhile?"))
	}
	return f, nil
}

// A Measure reads a file through and counts its blocks that are not all zeros.
// It is called for several files at a time.
type Measure func(ctx context.Context, n *tree.Inode, f *os.File) (sparse.Usage, error)

// A walker goes through a directory on disk and the tree's side by side. Files
// it measures on all processors meanwhile; without a measure it estimates their
// blocks from what the host keeps.
type walker struct {
	measure Measure
	// visit returns the inode of the tree that an entry is, nil for one that
	// it has met under another name.
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

// walk goes through a directory of the host, which is the tree's root.
func (w *walker) walk(root string, t *tree.Inode) error {
	f, err := openRoot(root)
	if err != nil {
		return err
	}
	defer f.Close()
	err = w.dir(t, f)
	if counted := w.files.Wait(); counted != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = counted // which is what made the walk stop
	}
	return err
}

// openRoot opens the directory at the top of a tree. A symlink is not followed.
func openRoot(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// dir visits the entries of a directory in the order of their names. Names
// that the tree has more than the disk are a mismatch.
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
			return mismatchf(d, name, "has a line, is not in the tree")
		}
	}
	return nil
}

// entry visits one name, and what is below it.
func (w *walker) entry(e entry) error {
	err := unix.Fstatat(int(e.in.Fd()), e.name, &e.stat, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return e.errorf(os.NewSyscallError("fstatat", err))
	}
	n, err := w.visit(e)
	if err != nil || n == nil {
		return err
	}
	switch {
	case n.Type == tree.Dir:
		sub, err := openDir(e.in, e.name)
		if err != nil {
			return e.errorf(err)
		}
		defer sub.Close()
		return w.dir(n, sub)
	case n.Type == tree.File && n.Size > 0:
		// Files without a hole need not even be opened.
		if w.measure == nil && e.stat.Blocks*512 >= n.Size {
			n.Blocks, n.Runs = sparse.Blocks(n.Size), 1
			return nil
		}
		f, err := e.open()
		if err != nil {
			return e.errorf(err)
		}
		w.files.Go(func() error { return w.file(e, n, f) })
	}
	return nil
}

// link makes the entry another name of an inode, as it is on disk.
func (e entry) link(same *tree.Inode) error {
	if err := e.dir.Link(e.name, same, nil); err != nil {
		return status.With(status.Bad, e.errorf(err))
	}
	return nil
}

func (e entry) errorf(err error) error {
	return fmt.Errorf("./%s: %w", mtree.Escape(e.dir.Join(e.name)), err)
}

// file measures a file, or asks where its holes are.
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
		err = fmt.Errorf("%d bytes became %d", n.Size, usage.Size)
	}
	if err != nil {
		return e.errorf(err)
	}
	n.Blocks, n.Runs = usage.Blocks, usage.Runs
	return nil
}
