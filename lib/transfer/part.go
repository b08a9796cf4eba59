// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/lib/stage"
	"banger/lib/status"
)

// ErrLocked is the error of TryLock if another process or goroutine has the lock.
var ErrLocked = stage.ErrLocked

// A Part is a part file that this process has locked, flock(2). The lock ends with
// the process.
type Part struct {
	path string
	file *os.File
	geometry
	disk disk
}

// Lock locks the part file of a blob, DIR/NAME.part, and creates it if it does not
// exist. It waits until the process that has the lock closes it. That process may
// have completed the blob and renamed the file: the caller must check again, now
// that it has the lock, whether the blob is needed, and else call Discard.
func Lock(ctx context.Context, path string) (*Part, error) {
	return newPart(stage.LockFile(ctx, path, openFile))
}

// TryLock is Lock, but returns ErrLocked instead of waiting.
func TryLock(path string) (*Part, error) {
	return newPart(stage.TryLockFile(path, openFile))
}

func newPart(f *os.File, err error) (*Part, error) {
	if err != nil {
		return nil, err
	}
	return &Part{path: f.Name(), file: f, geometry: standard, disk: standardDisk}, nil
}

// openFile opens a regular file and creates it if it does not exist. The cache may
// be shared: a symlink or a FIFO of another user is refused.
func openFile(path string) (*os.File, error) {
	f, err := stage.OpenOrCreate(path)
	if err != nil {
		return nil, status.CreateError(err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, status.Hint(status.Errorf(status.Create, "%s: not a regular file", path), "%s", "rm -r "+path)
	}
	return f, nil
}

// openMap opens the map and creates it if it does not exist.
func (p *Part) openMap() (*os.File, error) { return openFile(p.mapPath()) }

// Rename renames the part file of a blob that was fetched to path, on the same
// file system, syncs its directory and unlocks. A file that exists is replaced. The
// map is removed first: a process that is killed in between leaves a complete part
// file and no stray map.
func (p *Part) Rename(path string) error {
	defer p.Close()
	if err := p.removeMap(); err != nil {
		return err
	}
	if err := os.Rename(p.path, path); err != nil {
		return err
	}
	return stage.SyncPath(filepath.Dir(path))
}

// Discard removes the part file and its map, and unlocks.
func (p *Part) Discard() error {
	defer p.Close()
	if err := p.removeMap(); err != nil {
		return err
	}
	return os.Remove(p.path)
}

func (p *Part) removeMap() error {
	if err := os.Remove(p.mapPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// IsEmpty reports whether no bytes of the blob were fetched before the part file was
// locked. It is called before Fetch.
func (p *Part) IsEmpty() bool {
	info, err := p.file.Stat()
	return err == nil && info.Size() == 0
}

// mayBeWhole reports whether the part file looks as Rename, killed, leaves that of a
// blob of this size: complete and without a map.
func (p *Part) mayBeWhole(size int64) bool {
	info, err := p.file.Stat()
	if err != nil || info.Size() != size {
		return false
	}
	_, err = os.Lstat(p.mapPath())
	return errors.Is(err, fs.ErrNotExist)
}

// Close unlocks. A later Lock resumes what is there.
func (p *Part) Close() error { return p.file.Close() }

// mapPath returns DIR/NAME.map for the part file DIR/NAME.part.
func (p *Part) mapPath() string { return strings.TrimSuffix(p.path, ".part") + ".map" }
