// SPDX-License-Identifier: Apache-2.0

// Package stage makes files and directories that are either whole or not
// there. They are built under a temporary name beside their place and renamed
// into it. The temporary name carries a flock(2) that dies with its maker, so
// that whoever comes next can tell what a killed process left, and sweep it.
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

// A Stage is something being made.
type Stage struct {
	Path    string // where it is being made
	dst     string
	lock    *os.File
	mine    func(path string) bool
	instead *os.File
	adopted bool // its maker removes it
}

// Options say what may be replaced.
type Options struct {
	// Replaces, when set, allows the destination to exist, if it holds for
	// it: only what banger made is ever replaced.
	Replaces func(path string) bool
	// Instead, when set with Replaces, is what Hold returned for the
	// destination: nothing else is replaced, and it must still be there.
	Instead *os.File
}

// NewDir makes a directory, mode 0700, that is to become dst.
func NewDir(dst string, o Options) (*Stage, error) {
	return create(dst, o, func(path string) error { return os.Mkdir(path, 0o700) })
}

// NewFile makes an empty file that is to become dst.
func NewFile(dst string, o Options) (*Stage, error) {
	return create(dst, o, func(path string) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// Adopt commits what somebody else has made, a directory with a temporary name
// beside dst. As long as it is not committed, it stays theirs. If nobody holds
// its lock, the stage does, so that no sweeper takes it away.
func Adopt(path, dst string, o Options) (*Stage, error) {
	s := &Stage{Path: path, dst: dst, mine: o.Replaces, instead: o.Instead, adopted: true}
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

func create(dst string, o Options, make func(path string) error) (*Stage, error) {
	dir, base := filepath.Split(filepath.Clean(dst))
	if dir == "" {
		dir = "."
	}
	if strings.Contains(dst, "\n") {
		return nil, status.Errorf(status.Usage, "%q: a path with a newline cannot be handed on", dst)
	}
	s := &Stage{dst: dst, mine: o.Replaces, instead: o.Instead}
	Sweep(dir) // also if there is nothing to be made
	if err := s.free(); err != nil {
		return nil, err
	}
	for {
		s.Path = filepath.Join(dir, temporary(base))
		if err := make(s.Path); err != nil {
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
		// A sweeper was faster than the lock: another name.
	}
}

// free returns an error when the destination exists and may not be replaced.
func (s *Stage) free() error {
	info, err := os.Lstat(s.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.instead != nil:
		return status.Errorf(status.NoInput, "%s: removed meanwhile", s.dst)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannotCreate(s.dst, err)
	case s.mine == nil:
		return exists(s.dst)
	case s.instead != nil && info.Mode().Type() != fs.ModeSymlink && !is(s.instead, s.dst, os.Lstat):
		return status.Errorf(status.Temporary, "%s: replaced meanwhile", s.dst)
	case info.Mode().Type() == fs.ModeSymlink || !s.mine(s.dst):
		return status.Hint(status.Errorf(status.Create, "%s: not made by banger, not replaced", s.dst), "move it away")
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
	return status.Errorf(status.Create, "%s: cannot be made: %w", dst, err)
}

// Commit gives the destination its name, in one step. What is replaced is
// gone when Commit returns, unless somebody holds it: then a sweep takes it.
func (s *Stage) Commit() error {
	err := s.place()
	for errors.Is(err, unix.EEXIST) {
		if err := s.free(); err != nil {
			return err
		}
		if err = s.exchange(); errors.Is(err, unix.ENOENT) { // it has been removed since
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

// place takes the name that nothing has; EEXIST if something has it, or should.
func (s *Stage) place() error {
	if s.instead != nil {
		return unix.EEXIST
	}
	return s.rename(unix.RENAME_NOREPLACE)
}

// exchange takes the name from what has it, which is removed.
func (s *Stage) exchange() error {
	if err := s.rename(unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	if s.instead == nil || is(s.instead, s.Path, os.Lstat) {
		reap(s.Path)
		return nil
	}
	// It was replaced at the last moment: the other has its name again.
	if err := s.rename(unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	return unix.EEXIST
}

func (s *Stage) rename(flag uint) error {
	return unix.Renameat2(unix.AT_FDCWD, s.Path, unix.AT_FDCWD, s.dst, flag)
}

// Sync is Commit for what is kept: once it returns, the name is on disk.
func (s *Stage) Sync() error {
	if err := s.Commit(); err != nil {
		return err
	}
	return SyncPath(filepath.Dir(s.dst))
}

// SyncPath writes a file or directory through to the disk.
func SyncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Remove removes a file or directory that has its name: the name goes first,
// in one step; the rest, while somebody holds it, with the next sweep. Of a
// symlink there is no rest: what it leads to is somebody's own.
func Remove(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return os.Remove(path)
	}
	dir, base := filepath.Split(path)
	gone := filepath.Join(dir, temporary(base))
	if err := os.Rename(path, gone); err != nil {
		return err
	}
	return reap(gone)
}

// Discard removes what was not committed. It is meant to be deferred.
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
