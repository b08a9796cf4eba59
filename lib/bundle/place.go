// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/layer"
	"banger/lib/mtree"
	"banger/lib/tree"
)

// Place lays a tree out below root, an empty directory: directories made here,
// contents renamed into them. A name from the image is only ever the last and
// only component of a name, in a directory that is open: no path leads out.
//
// What the host must not have or could not be read back is an empty file: no
// device, no fifo, no setuid bit, no unreadable directory ever appears.
func Place(ctx context.Context, t *tree.Tree, contents *layer.Contents, root *os.File) error {
	p := placer{ctx: ctx, contents: contents, left: map[*tree.Inode]int{}}
	return p.dir(t.Root, root)
}

// A placer knows how many names of a file with several are still to come.
type placer struct {
	ctx      context.Context
	contents *layer.Contents
	left     map[*tree.Inode]int
}

func (p *placer) dir(d *tree.Inode, f *os.File) error {
	for _, name := range d.Names() {
		n := d.Lookup(name)
		if n.Type == tree.Dir {
			if err := p.subdir(d, n, f, name); err != nil {
				return err
			}
			continue
		}
		if err := p.file(n, f, name); err != nil {
			return fmt.Errorf("./%s: %w", mtree.Escape(d.Join(name)), err)
		}
	}
	return p.ctx.Err()
}

// subdir makes a directory and what is in it.
func (p *placer) subdir(d, n *tree.Inode, in *os.File, name string) error {
	if err := unix.Mkdirat(int(in.Fd()), name, 0o700); err != nil {
		return fmt.Errorf("./%s: %w", mtree.Escape(d.Join(name)), os.NewSyscallError("mkdirat", err))
	}
	f, err := openDir(in, name)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.dir(n, f)
}

// openDir opens a directory in another; a symlink is not followed.
func openDir(in *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(in.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// file places one name of a file. Several names are links of one number,
// which the last of them takes over.
func (p *placer) file(n *tree.Inode, in *os.File, name string) error {
	if n.Content == 0 && n.Nlink == 1 {
		return layer.Make(n, in, name)
	}
	if _, begun := p.left[n]; !begun {
		p.left[n] = n.Nlink
		if err := p.contents.Ensure(n); err != nil {
			return err
		}
	}
	p.left[n]--
	return p.contents.Place(n, p.left[n] > 0, in, name)
}
