// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/input"
	"banger/lib/stage"
	"banger/lib/status"
)

// IngestDir is the directory of a layout with the blobs that are being fetched:
// sha256-HEX.part, and sha256-HEX.map next to it (lib/transfer).
const IngestDir = "ingest"

// A BlobFile is a file in blobs/ that is named after a digest.
type BlobFile struct {
	Digest digest.Digest
	Size   int64     // bytes
	Used   time.Time // when it was written, or of a manifest when Touch was called
}

// Blobs lists the blobs of a layout by their digests, and the paths in blobs/ that
// are no blobs. It opens none.
func (l *Layout) Blobs() (blobs map[digest.Digest]BlobFile, others []string, err error) {
	blobs = map[digest.Digest]BlobFile{}
	root := filepath.Join(l.dir, v1.ImageBlobsDir)
	algorithms, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range algorithms {
		if stage.IsTemporary(a.Name()) { // a directory that is being made
			continue
		}
		dir := filepath.Join(root, a.Name())
		files, err := os.ReadDir(dir)
		if errors.Is(err, unix.ENOTDIR) {
			others = append(others, dir)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, f := range files {
			path := filepath.Join(dir, f.Name())
			d := digest.NewDigestFromEncoded(digest.Algorithm(a.Name()), f.Name())
			info, err := os.Stat(path)
			switch {
			case isMissing(err) && f.Type().IsRegular(): // removed since
			case checkDigest("digest", d) != nil || err != nil || !info.Mode().IsRegular():
				others = append(others, path)
			default:
				blobs[d] = BlobFile{d, info.Size(), info.ModTime()}
			}
		}
	}
	return blobs, others, nil
}

// Links are the blobs that a manifest or an index names.
type Links struct {
	Manifests []v1.Descriptor // manifests and indexes
	Content   []v1.Descriptor // config and layers
}

// Links reads and verifies a blob, and returns what it names, whatever the type of
// its content: also that of an artifact that is not an image. It is nil for a document
// that has neither layers nor manifests.
func (l *Layout) Links(blob BlobFile) (*Links, error) {
	raw, err := l.document(v1.Descriptor{Digest: blob.Digest, Size: blob.Size})
	if err != nil {
		return nil, err
	}
	var shape struct {
		Manifests []v1.Descriptor `json:"manifests"`
		Layers    []v1.Descriptor `json:"layers"`
		Config    json.RawMessage `json:"config"` // in a config, another type
	}
	if err := input.Unmarshal(raw, &shape, input.MaxValues); err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", blob.Digest, err)
	}
	if shape.Manifests == nil && shape.Layers == nil {
		return nil, nil
	}
	var config v1.Descriptor
	if json.Unmarshal(shape.Config, &config) == nil && config.Digest != "" {
		shape.Layers = append(shape.Layers, config)
	}
	links := &Links{shape.Manifests, shape.Layers}
	return links, checkDescriptors(append(shape.Manifests, shape.Layers...)...)
}

// Writer returns a Writer for a layout that exists. Its index.json is not looked at.
func (l *Layout) Writer(warn func(string)) *Writer {
	return &Writer{Layout: l, warn: warn, leased: map[digest.Digest]bool{}}
}

// CheckWritable returns an error if the user may not remove blobs. It is called before
// Remove.
func (w *Writer) CheckWritable() error {
	_, err := w.staged()
	if w.full = IsFull(err); w.full {
		return nil
	}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return status.Errorf(status.Create, "%s: cannot be written: %w", w.dir, errno)
	}
	return err
}

// IsFull reports whether an error means that the disk has no space.
func IsFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// Remove removes a blob. It moves it to the temporary directory, so that a large file
// is removed by Close, when the index is no longer locked. If CheckWritable has found
// no space for that directory, or MakeRoom was called, the blob is removed at once.
func (w *Writer) Remove(d digest.Digest) error {
	path, err := w.blobPath(d)
	if err != nil {
		return err
	}
	if w.full {
		return os.Remove(path)
	}
	dir, err := w.staged()
	if err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(dir, strconv.FormatInt(w.last.Add(1), 10)))
}

// MakeRoom removes the temporary directory, with the blobs that Remove has moved to it and
// the lease.
func (w *Writer) MakeRoom() {
	w.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage, w.full = nil, true
}

// TryLock takes an exclusive lock on the blob of a manifest, which Hold respects. It
// returns stage.ErrLocked if a process has locked it.
func (l *Layout) TryLock(d digest.Digest) (*os.File, error) {
	path, err := l.blobPath(d)
	if err != nil {
		return nil, err
	}
	return stage.TryLock(path)
}

// damagedDir is the directory of a layout with blobs whose content was wrong.
const damagedDir = "damaged"

// SetAside moves a blob that was read from f, and whose content is wrong, to
// damaged/ALGORITHM-HEX. The time of the file says when it was moved. SetAside reports
// false if another file has its name by now.
func (w *Writer) SetAside(d digest.Digest, f *os.File) (bool, error) {
	path, err := w.blobPath(d)
	if err != nil {
		return false, err
	}
	if !stage.IsNamed(f, path) {
		return false, nil
	}
	dir := filepath.Join(w.dir, damagedDir)
	if err := stage.MakeDir(dir); err != nil {
		return false, err
	}
	aside := filepath.Join(dir, string(d.Algorithm())+"-"+d.Encoded())
	if err := os.Rename(path, aside); err != nil {
		return false, err
	}
	if stage.IsNamed(f, aside) {
		touch(aside)
		return true, nil
	}
	// It was replaced after the comparison. If it was replaced once more, the file in
	// its place has the same digest.
	err = unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		err = os.Remove(aside)
	}
	return false, err
}

// OpenBlob opens the file of a blob, whose content is not checked.
func (l *Layout) OpenBlob(d digest.Digest) (*os.File, error) { return l.open(v1.Descriptor{Digest: d}) }

// AsideDir is the directory with the blobs that SetAside has moved.
func (l *Layout) AsideDir() string { return filepath.Join(l.dir, damagedDir) }
