// SPDX-License-Identifier: Apache-2.0

package layout

// A blob is needed if something leads to it: an entry of index.json, a lease of a
// process that fetches, or a manifest that a process has locked. These rules let
// blobs be removed while other processes work:
//
//   - Who fetches writes the digests it needs to a lease, under the exclusive lock
//     of the index, before it looks which blobs there are.
//   - Who reads an image holds a shared lock on the blob of its manifest, and reads
//     the manifest after that.
//   - Who removes blobs holds the lock of the index, and that of each manifest that it
//     removes, from the moment it looks what is needed until the blobs have left blobs/.
//     If a manifest was used after its time was read and before it was locked, it stays:
//     who fetches an image that is cached holds no lease.
//
// The lock of the index is on the directory of the layout. All locks are flock(2).

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/stage"
)

// lock locks the index for other writers until unlock is called. Readers need no
// lock: the index is replaced by rename.
func (w *Writer) lock(ctx context.Context) (unlock func(), err error) {
	dir, err := stage.Lock(ctx, w.dir)
	if err != nil {
		return nil, err
	}
	return func() { dir.Close() }, nil
}

// Exclusive calls f with the index while no other process changes it or writes a
// lease. A damaged index is an error.
func (w *Writer) Exclusive(ctx context.Context, f func(*v1.Index) error) error {
	return w.locked(ctx, w.index, f)
}

// change calls f with the index while no other process changes it. A damaged index is
// replaced by an empty one.
func (w *Writer) change(ctx context.Context, f func(*v1.Index) error) error {
	if _, err := w.staged(); err != nil {
		return err
	}
	return w.locked(ctx, w.indexToChange, f)
}

// locked calls f with the index that read returns under the lock.
func (w *Writer) locked(ctx context.Context, read func() (*v1.Index, error), f func(*v1.Index) error) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	index, err := read()
	if err != nil {
		return err
	}
	return f(index)
}

// Hold locks the blob of a manifest, so that neither it nor the blobs that it names
// are pruned until the Closer is closed. The caller reads the manifest after Hold,
// because a blob that does not exist is no error. It waits for a process that
// prunes. Where files cannot be locked, it does nothing. The only errors are those of
// ctx.
func (l *Layout) Hold(ctx context.Context, d digest.Digest) (io.Closer, error) {
	path, err := l.blobPath(d)
	if err != nil {
		return noLock{}, nil
	}
	f, err := stage.Share(ctx, path)
	switch {
	case err == nil:
		return f, nil
	case ctx.Err() != nil:
		return nil, err
	}
	return noLock{}, nil
}

// A noLock stands for a lock that was not taken.
type noLock struct{}

func (noLock) Close() error { return nil }

// Touch records that an image is used now, as the time of the last change of its
// manifest's blob, since many hosts do not keep the time of the last access. It does
// nothing if the user may not change it.
func (l *Layout) Touch(manifest digest.Digest) {
	if path, err := l.blobPath(manifest); err == nil {
		touch(path)
	}
}

// touch sets the time of the last change of a file to now, if the user may do that.
func touch(path string) {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}} // what who may write the file may set
	unix.UtimesNanoAt(unix.AT_FDCWD, path, now, 0)
}

// isMissing reports whether a file does not exist.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
