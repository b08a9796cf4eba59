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

// Place writes a tree below root, an empty directory: it creates directories and
// renames contents into them. Every name from the image is used as a single
// component relative to an open directory, so no path leads outside.
//
// Devices, fifos and sockets become empty files. No setuid bit and no unreadable
// directory is created.
func Place(ctx context.Context, t *tree.Tree, contents *layer.Contents, root *os.File) error {
	p := placer{ctx: ctx, contents: contents, left: map[*tree.Inode]int{}}
	return p.dir(t.Root, root)
}

// A placer places the entries of a tree.
type placer struct {
	ctx      context.Context
	contents *layer.Contents
	left     map[*tree.Inode]int // names not yet placed, of files with hard links
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

// subdir creates a directory and its entries.
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

// openDir opens a directory in another. It does not follow a symlink.
func openDir(in *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(in.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// file places one name of a file. Hard links are linked to the stored content;
// the last one takes it by a rename.
func (p *placer) file(n *tree.Inode, in *os.File, name string) error {
	if n.Content == 0 && n.Nlink == 1 {
		return layer.Make(n, in, name)
	}
	if _, ok := p.left[n]; !ok {
		p.left[n] = n.Nlink
		if err := p.contents.Ensure(n); err != nil {
			return err
		}
	}
	p.left[n]--
	return p.contents.Place(n, p.left[n] > 0, in, name)
}
