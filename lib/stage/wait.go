// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often a lock that another process has is tried again. A
// blocking flock(2) could not be canceled.
const pollEvery = 10 * time.Millisecond

// ErrLocked is the error of TryLock if another process has a lock.
var ErrLocked = errors.New("locked by another process")

// Lock opens a file or directory and takes an exclusive lock, flock(2). It waits
// until no other process has a lock, or until ctx is done. Closing the file
// releases the lock.
func Lock(ctx context.Context, path string) (*os.File, error) {
	return wait(ctx, path, unix.LOCK_EX, open)
}

// LockFile is Lock for a file that a function opens, which may create it.
func LockFile(ctx context.Context, path string, open func(path string) (*os.File, error)) (*os.File, error) {
	return wait(ctx, path, unix.LOCK_EX, open)
}

// Share is Lock with a shared lock. It follows a symlink. When it returns, path
// names the file that is locked.
func Share(ctx context.Context, path string) (*os.File, error) {
	return wait(ctx, path, unix.LOCK_SH, open)
}

// TryLock is Lock, but returns ErrLocked instead of waiting.
func TryLock(path string) (*os.File, error) { return try(path, unix.LOCK_EX, open) }

// TryLockFile is LockFile, but returns ErrLocked instead of waiting.
func TryLockFile(path string, open func(path string) (*os.File, error)) (*os.File, error) {
	return try(path, unix.LOCK_EX, open)
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO has no writer
}

func wait(ctx context.Context, path string, how int, open func(string) (*os.File, error)) (*os.File, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		f, err := try(path, how, open)
		if !errors.Is(err, ErrLocked) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// try takes a lock without waiting.
func try(path string, how int, open func(string) (*os.File, error)) (*os.File, error) {
	for {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil && IsNamed(f, path) {
			return f, nil
		}
		f.Close()
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return nil, ErrLocked
		case err != nil && !errors.Is(err, unix.EINTR):
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// It was renamed or replaced before it was locked: try again.
	}
}

// IsNamed reports whether path names an open file.
func IsNamed(f *os.File, path string) bool { return sameFile(f, path, os.Stat) }

// Living returns the stages for the destination DIR/BASE whose makers live. In a
// shared directory it skips those that the group may not read yet.
func Living(dir, base string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var living []string
	for _, e := range entries {
		if !IsTemporary(e.Name()) || !strings.HasPrefix(e.Name(), "."+base+infix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := TryLock(path)
		switch {
		case err == nil:
			f.Close()
		case errors.Is(err, ErrLocked):
			living = append(living, path)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission) && IsShared(dir):
		default:
			return nil, err
		}
	}
	return living, nil
}
