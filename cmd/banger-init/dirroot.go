// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/input"
)

// maxLinks is how many symlinks a path may lead over (path_resolution(7)).
const maxLinks = 40

// A dirRoot is a directory as a guest's root: the guest.Root of the running
// system. Absolute symlinks start at the directory.
type dirRoot string

// Resolve implements guest.Root.
func (d dirRoot) Resolve(name string) (resolved string, mode fs.FileMode, err error) {
	if resolved, err = d.follow(name); err != nil {
		return "", 0, err
	}
	info, err := os.Lstat(d.host(resolved))
	if err != nil {
		return "", 0, absent(err)
	}
	return resolved, info.Mode(), nil
}

// ReadFile implements guest.Root.
func (d dirRoot) ReadFile(name string, limit int64) ([]byte, error) {
	resolved, err := d.follow(name)
	if err != nil {
		return nil, err
	}
	f, err := input.OpenNoFollow(d.host(resolved))
	if err != nil {
		return nil, absent(err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// follow follows the symlinks of a path. What is missing stays in the result as
// it is written, unless ".." follows. For that, as for symlinks in a circle and for
// a path that is too long or leads through a file, the error is fs.ErrNotExist.
func (d dirRoot) follow(name string) (string, error) {
	at, links := "/", 0
	rest := strings.Split(name, "/")
	if len(name) >= unix.PathMax {
		return "", fs.ErrNotExist
	}
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(d.host(next))
		switch {
		case errors.Is(err, fs.ErrNotExist) && !slices.Contains(rest, ".."):
			at = next
			continue
		case err != nil:
			return "", absent(err)
		case info.Mode()&fs.ModeSymlink == 0:
			if !info.IsDir() && len(rest) > 0 {
				return "", fs.ErrNotExist
			}
			at = next
			continue
		}
		target, err := os.Readlink(d.host(next))
		if err != nil {
			return "", absent(err)
		}
		if links++; links > maxLinks {
			return "", fs.ErrNotExist
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

func (d dirRoot) host(name string) string { return filepath.Join(string(d), name) }

// absent turns errors of a path that leads nowhere into fs.ErrNotExist.
func absent(err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENAMETOOLONG) {
		return fs.ErrNotExist
	}
	return err
}
