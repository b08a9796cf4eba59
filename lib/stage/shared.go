// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A directory with the set-group-ID bit that its group may write is shared: what is
// made in it belongs to its group (inode(7)), and the group may write it, whatever
// the umask of who makes it.

// IsShared reports whether a directory is shared by a group.
func IsShared(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&fs.ModeSetgid != 0 && info.Mode()&0o020 != 0
}

// ShareWithGroup lets the group read and write a file or directory.
func ShareWithGroup(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mode := info.Mode() | 0o060
	if info.IsDir() {
		mode |= 0o010
	}
	if mode == info.Mode() {
		return nil
	}
	return os.Chmod(path, mode)
}

// MakeDir is os.MkdirAll. The group of a shared directory may write a directory made in
// it from the moment it has its name, so that whoever finds it also shares it.
func MakeDir(path string) error {
	if isDir(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if !IsShared(parent) {
		return os.MkdirAll(path, 0o777)
	}
	if err := makeShared(path); err != nil && !isDir(path) { // another process may make it first
		return err
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func makeShared(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	}
	s, err := NewDir(path, Options{Mode: 0o777})
	if err != nil {
		return err
	}
	defer s.Discard()
	if err := ShareWithGroup(s.Path); err != nil {
		return err
	}
	if err := s.Commit(); !errors.Is(err, unix.EINVAL) {
		return err
	}
	return os.Rename(s.Path, path) // as on NFS: it replaces an empty directory at most
}

// OpenOrCreate opens a file to read and write, and creates it if it does not exist. It
// follows no symlink, and does not wait for the other end of a FIFO. The group of a
// shared directory may write the file from the moment it has its name.
func OpenOrCreate(path string) (*os.File, error) {
	const flags = os.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if !IsShared(filepath.Dir(path)) {
		return os.OpenFile(path, flags|os.O_CREATE, 0o666)
	}
	for {
		f, err := os.OpenFile(path, flags, 0)
		if err == nil {
			return f, shareOwn(f)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		// Another process may create the file first, or remove it before it is opened.
		if err := createShared(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// createShared creates a file without a name, for a group, and gives it its name. Where
// that is not possible, as on NFS or without /proc, the file has its name first.
func createShared(path string) error {
	f, err := os.OpenFile(filepath.Dir(path), os.O_RDWR|unix.O_TMPFILE, 0o666)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		return createNamed(path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := shareOwn(f); err != nil {
		return err
	}
	err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return createNamed(path)
	}
	if err != nil {
		return &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return nil
}

func createNamed(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}

// shareOwn lets the group read and write a file, beside those whom the umask lets,
// unless it is another user's.
func shareOwn(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Mode()&0o060 == 0o060 {
		return err
	}
	if err := f.Chmod(info.Mode().Perm() | 0o060); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
