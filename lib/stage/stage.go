// SPDX-License-Identifier: Apache-2.0

// Package stage creates files and directories atomically. They are built under a
// temporary name in the same directory and renamed. The maker holds a flock(2) on
// the temporary file, which ends with the process, so that later processes can
// recognize and remove what a killed one left.
package stage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// A Stage is a file or directory being made.
type Stage struct {
	Path     string // temporary path
	dst      string
	lock     *os.File
	replaces func(path string) bool
	expected *os.File
	adopted  bool // removed by its maker, not by Discard
}

// Options say what may be replaced.
type Options struct {
	// Replaces, if not nil, allows an existing destination for which it
	// returns true. Only files made by banger may be replaced.
	Replaces func(path string) bool
	// Expected, if not nil, is the file that Hold returned for the destination.
	// The destination must still be that file. It requires Replaces.
	Expected *os.File
	// Mode, if not 0, is the mode of a directory, before the umask.
	Mode fs.FileMode
}

// NewDir makes a directory, by default of mode 0700, that Commit renames to dst.
func NewDir(dst string, o Options) (*Stage, error) {
	mode := o.Mode
	if mode == 0 {
		mode = 0o700
	}
	return create(dst, o, func(path string) error { return os.Mkdir(path, mode) })
}

// NewFile makes an empty file that Commit renames to dst.
func NewFile(dst string, o Options) (*Stage, error) {
	return create(dst, o, func(path string) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// Adopt returns a Stage for a directory that another process made under a
// temporary name. Discard leaves it to its maker. If its lock is free, the Stage
// takes it, so that no sweep removes the directory.
func Adopt(path, dst string, o Options) (*Stage, error) {
	s := &Stage{Path: path, dst: dst, replaces: o.Replaces, expected: o.Expected, adopted: true}
	if err := s.free(); err != nil {
		return nil, err
	}
	l, err := lock(path)
	if err != nil && !errors.Is(err, errGone) {
		return nil, err
	}
	s.lock = l
	return s, nil
}

func create(dst string, o Options, mk func(path string) error) (*Stage, error) {
	dir, base := filepath.Split(filepath.Clean(dst))
	if dir == "" {
		dir = "."
	}
	if strings.Contains(dst, "\n") {
		return nil, status.Errorf(status.Usage, "%q: path contains a newline", dst) // paths are passed on one per line
	}
	s := &Stage{dst: dst, replaces: o.Replaces, expected: o.Expected}
	Sweep(dir) // even if dst exists
	if err := s.free(); err != nil {
		return nil, err
	}
	for {
		s.Path = filepath.Join(dir, temporary(base))
		if err := mk(s.Path); err != nil {
			return nil, cannotCreate(dst, err)
		}
		var err error
		if s.lock, err = lock(s.Path); err == nil {
			return s, nil
		}
		if !errors.Is(err, errGone) {
			os.RemoveAll(s.Path)
			return nil, cannotCreate(dst, err)
		}
		// A sweep removed it before it was locked: try another name.
	}
}

// free returns an error if the destination exists and may not be replaced.
func (s *Stage) free() error {
	info, err := os.Lstat(s.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.expected != nil:
		return status.Errorf(status.NoInput, "%s: removed by another process", s.dst)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannotCreate(s.dst, err)
	case s.replaces == nil:
		return exists(s.dst)
	case s.expected != nil && info.Mode().Type() != fs.ModeSymlink && !sameFile(s.expected, s.dst, os.Lstat):
		return status.Errorf(status.Temporary, "%s: replaced by another process", s.dst)
	case info.Mode().Type() == fs.ModeSymlink || !s.replaces(s.dst):
		return status.Hint(status.Errorf(status.Create, "%s: exists, not made by banger", s.dst), "move it away")
	}
	return nil
}

func exists(dst string) error {
	return status.Hint(status.Errorf(status.Create, "%s: exists", dst), "-f replaces it")
}

func cannotCreate(dst string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return status.Errorf(status.Create, "%s: cannot create: %w", dst, err)
}

// Commit renames the stage to its destination atomically. It removes a replaced
// file or directory, or leaves it to the next Sweep if another process holds it.
func (s *Stage) Commit() error {
	err := s.place()
	for errors.Is(err, unix.EEXIST) {
		if err := s.free(); err != nil {
			return err
		}
		if err = s.exchange(); errors.Is(err, unix.ENOENT) { // removed since
			err = s.place()
		}
	}
	if err != nil {
		return cannotCreate(s.dst, err)
	}
	s.Path = ""
	s.unlock()
	return nil
}

// place renames to a free name. It returns EEXIST if the name exists, or if
// something must be replaced.
func (s *Stage) place() error {
	if s.expected != nil {
		return unix.EEXIST
	}
	return s.rename(unix.RENAME_NOREPLACE)
}

// exchange exchanges the stage with the destination and removes the latter.
func (s *Stage) exchange() error {
	if err := s.rename(unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	if s.expected == nil || sameFile(s.expected, s.Path, os.Lstat) {
		reap(s.Path)
		return nil
	}
	// The destination was replaced since free: undo the exchange.
	if err := s.rename(unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	return unix.EEXIST
}

func (s *Stage) rename(flag uint) error {
	return unix.Renameat2(unix.AT_FDCWD, s.Path, unix.AT_FDCWD, s.dst, flag)
}

// CommitSync calls Commit and syncs the directory, so that the name is on disk.
func (s *Stage) CommitSync() error {
	if err := s.Commit(); err != nil {
		return err
	}
	return SyncPath(filepath.Dir(s.dst))
}

// SyncPath calls fsync(2) for a file or directory.
func SyncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Remove removes a file or directory. It removes the name atomically, then the
// contents, or leaves them to the next Sweep if another process holds them. Of a
// symlink it removes only the symlink.
func Remove(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return os.Remove(path)
	}
	dir, base := filepath.Split(path)
	tmp := filepath.Join(dir, temporary(base))
	if err := os.Rename(path, tmp); err != nil {
		return err
	}
	return reap(tmp)
}

// Discard removes the stage unless it was committed. It is meant to be deferred.
func (s *Stage) Discard() {
	if s.Path != "" && !s.adopted {
		os.RemoveAll(s.Path)
	}
	s.Path = ""
	s.unlock()
}

func (s *Stage) unlock() {
	if s.lock != nil {
		s.lock.Close()
	}
	s.lock = nil
}
