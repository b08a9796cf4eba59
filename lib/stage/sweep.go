// SPDX-License-Identifier: Apache-2.0

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
)

// Temporary names are .BASE.staging-RANDOM.
const (
	infix  = ".staging-"
	random = 16
)

func temporary(base string) string { return "." + base + infix + rand.Text()[:random] }

// IsTemporary reports whether a file name is a temporary name of a Stage.
func IsTemporary(name string) bool {
	at := strings.LastIndex(name, infix)
	return at > 0 && name[0] == '.' && len(name) == at+len(infix)+random &&
		strings.IndexFunc(name[at+len(infix):], notAlphanumeric) < 0
}

func notAlphanumeric(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
}

// Sweep removes the stages that killed processes left in a directory. Who makes
// something next to them can ignore its error.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		if IsTemporary(e.Name()) {
			failed = append(failed, reap(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(failed...)
}

// reap removes a file or directory unless a process holds its lock.
func reap(path string) error {
	l, err := lock(path)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.Close()
	return os.RemoveAll(path)
}

// errGone is returned by lock if another process removed path or holds its lock.
var errGone = errors.New("removed or locked by another process")

// lock takes the flock(2) on path that protects it from Sweep. It does not wait.
// Closing the file releases the lock.
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
	if err == nil && !sameFile(f, path, os.Lstat) {
		err = errGone
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// Hold opens a file or directory and takes a shared lock, so that until the file
// is closed its contents are not removed, even if it is renamed or replaced. It
// follows a symlink, which a user must have made.
func Hold(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO has no writer
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH)
		if err == nil && sameFile(f, path, os.Stat) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock: %w", err)
		}
		// It was replaced before it was locked: try again.
	}
}

// sameFile reports whether path names the open file. stat is os.Stat or os.Lstat.
func sameFile(f *os.File, path string, stat func(string) (fs.FileInfo, error)) bool {
	a, err1 := f.Stat()
	b, err2 := stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}
