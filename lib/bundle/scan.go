// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/tree"
)

// scan reads a plain directory with its metadata on disk.
func scan(ctx context.Context, root string, measure Measure, warn func(string)) (*tree.Tree, error) {
	s := scanner{first: map[fileID]*tree.Inode{}, warn: warn}
	var stat unix.Stat_t
	if err := unix.Stat(root, &stat); err != nil {
		return nil, os.NewSyscallError("stat", err)
	}
	top, err := s.inode(root, stat)
	if err != nil {
		return nil, err
	}
	t := tree.New(*top)
	return t, newWalker(ctx, s.entry, measure).walk(root, t.Root)
}

type scanner struct {
	first map[fileID]*tree.Inode
	warn  func(string)
}

// entry adds one entry on disk to the tree.
func (s *scanner) entry(e entry) (*tree.Inode, error) {
	if same := s.first[e.id()]; same != nil {
		return nil, e.link(same)
	}
	// A path through the open directory is not too long and follows no symlinks.
	n, err := s.inode(fmt.Sprintf("/proc/self/fd/%d/%s", e.in.Fd(), e.name), e.stat)
	if err == nil && n.Type == tree.Symlink {
		n.Target, err = e.readlink()
	}
	if err != nil {
		return nil, e.wrap(err)
	}
	if n.Type != tree.Dir && e.stat.Nlink > 1 {
		s.first[e.id()] = n
	}
	if n.Sec != e.stat.Mtim.Sec {
		s.warn(e.wrap(errors.New("mtime out of range of ext4: clamped")).Error())
	}
	e.dir.Put(e.name, n, nil)
	return n, nil
}

// inode returns the inode of a file from stat(2) and listxattr(2).
func (s *scanner) inode(path string, stat unix.Stat_t) (*tree.Inode, error) {
	t, ok := tree.TypeOf(stat.Mode)
	if !ok {
		return nil, fmt.Errorf("unknown file type %o", stat.Mode)
	}
	n := &tree.Inode{
		Type: t, Mode: uint16(stat.Mode & 0o7777), UID: stat.Uid, GID: stat.Gid,
	}
	n.SetTime(stat.Mtim.Sec, uint32(stat.Mtim.Nsec))
	if t == tree.File {
		n.Size = stat.Size
	}
	if t.Device() {
		n.Major, n.Minor = unix.Major(stat.Rdev), unix.Minor(stat.Rdev)
	}
	return n, s.xattrs(path, n)
}

// xattrs reads the extended attributes that an image can hold.
func (s *scanner) xattrs(path string, n *tree.Inode) error {
	names, err := listXattrs(path)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !tree.Settable(n.Type, name) {
			s.warn(fmt.Sprintf("xattr %q: unsupported: skipped", name))
			continue
		}
		value := make([]byte, tree.MaxXattr)
		size, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return fmt.Errorf("xattr %s: %w", name, err)
		}
		n.Xattrs = append(n.Xattrs, tree.Xattr{Name: name, Value: string(value[:size])})
	}
	return nil
}

// listXattrs returns the names of the attributes of a file. It does not follow a
// symlink.
func listXattrs(path string) ([]string, error) {
	size, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("llistxattr", err)
	}
	buf := make([]byte, size)
	if size, err = unix.Llistxattr(path, buf); err != nil {
		return nil, os.NewSyscallError("llistxattr", err)
	}
	return strings.Split(strings.TrimRight(string(buf[:size]), "\x00"), "\x00"), nil
}
