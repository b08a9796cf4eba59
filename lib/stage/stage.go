// SPDX-License-Identifier: Apache-2.0

// Package stage makes files and directories that are either whole or not
// there. They are built under a temporary name beside their place and renamed
// into it. The temporary name carries a flock(2) that dies with its maker, so
// that whoever comes next can tell what a killed process left, and sweep it.
package stage

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// A Stage is something being made.
type Stage struct {
	Path string // where it is being made
	dst  string
	lock *os.File
	mine func(path string) bool
}

// Options say what may be replaced.
type Options struct {
	// Replaces, when set, allows the destination to exist, if it holds for
	// it: only what banger made is ever replaced.
	Replaces func(path string) bool
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

// Adopt takes over a stage that the caller's own process has made and locked:
// a directory with a temporary name beside dst.
func Adopt(path, dst string, o Options) (*Stage, error) {
	s := &Stage{Path: path, dst: dst, mine: o.Replaces}
	return s, s.free()
}

func create(dst string, o Options, make func(path string) error) (*Stage, error) {
	dir, base := filepath.Split(filepath.Clean(dst))
	if dir == "" {
		dir = "."
	}
	if strings.Contains(dst, "\n") {
		return nil, status.Errorf(status.Usage, "%q: a path with a newline cannot be handed on", dst)
	}
	s := &Stage{dst: dst, mine: o.Replaces}
	if err := s.free(); err != nil {
		return nil, err
	}
	Sweep(dir)
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
	_, err := os.Lstat(s.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannotCreate(s.dst, err)
	case s.mine == nil:
		return exists(s.dst)
	case !s.mine(s.dst):
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
// gone when Commit returns.
func (s *Stage) Commit() error {
	err := unix.Renameat2(unix.AT_FDCWD, s.Path, unix.AT_FDCWD, s.dst, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		if err := s.free(); err != nil {
			return err
		}
		if err := unix.Renameat2(unix.AT_FDCWD, s.Path, unix.AT_FDCWD, s.dst, unix.RENAME_EXCHANGE); err != nil {
			return cannotCreate(s.dst, err)
		}
		os.RemoveAll(s.Path)
		err = nil
	}
	if err != nil {
		return cannotCreate(s.dst, err)
	}
	s.Path = ""
	s.unlock()
	return nil
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
// in one step.
func Remove(path string) error {
	dir, base := filepath.Split(path)
	gone := filepath.Join(dir, temporary(base))
	if err := os.Rename(path, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// Discard removes what was not committed. It is meant to be deferred.
func (s *Stage) Discard() {
	if s.Path != "" {
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

// Temporary names are .BASE.staging-RANDOM.
const (
	infix  = ".staging-"
	random = 16
)

func temporary(base string) string { return "." + base + infix + rand.Text()[:random] }

// IsTemporary reports whether a file's name is one that a Stage gives.
func IsTemporary(name string) bool {
	at := strings.LastIndex(name, infix)
	return at > 0 && name[0] == '.' && len(name) == at+len(infix)+random &&
		strings.IndexFunc(name[at+len(infix):], notAlphanumeric) < 0
}

func notAlphanumeric(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
}

// Sweep removes what killed processes left in a directory. It does what it
// can: what it may not remove stays.
func Sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if IsTemporary(e.Name()) {
			Reap(filepath.Join(dir, e.Name()))
		}
	}
}

// Reap removes a file or directory unless somebody alive holds its lock.
func Reap(path string) {
	if l, err := lock(path); err == nil {
		os.RemoveAll(path)
		l.Close()
	}
}

var errGone = errors.New("swept away")

// Lock takes the flock(2) on path that keeps sweepers away, and fails when
// somebody has it. The lock is held until the file is closed.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errGone
	}
	if err == nil && !same(f, path) {
		err = errGone
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// same reports whether path still names the open file.
func same(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}
