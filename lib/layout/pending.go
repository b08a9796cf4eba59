// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/sparse"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Pending is a layout in the temporary directory of a Writer. It holds the blobs
// of an archive until it is known which of them are needed. The rest is removed by
// Close of the Writer.
type Pending struct {
	*Layout
	to *Writer
}

// NewPending makes an empty layout. Messages call it name.
func (w *Writer) NewPending(name string) (*Pending, error) {
	dir, err := w.temporary()
	if err != nil {
		return nil, err
	}
	for _, a := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		if err := os.MkdirAll(filepath.Join(dir, v1.ImageBlobsDir, a.String()), 0o700); err != nil {
			return nil, hintFull(err)
		}
	}
	return &Pending{&Layout{dir, name}, w}, nil
}

// Add writes a blob and returns its digest and size. If want is not empty, the blob
// must have that digest.
func (p *Pending) Add(ctx context.Context, want digest.Digest, r io.Reader) (v1.Descriptor, error) {
	algorithm := digest.SHA256
	if want != "" {
		algorithm = want.Algorithm()
	}
	f, err := p.to.newFile()
	if err != nil {
		return v1.Descriptor{}, hintFull(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	hash := algorithm.Digester()
	n, err := io.Copy(io.MultiWriter(f, hash.Hash()), sparse.Interruptible(ctx, r))
	if err != nil {
		return v1.Descriptor{}, hintFull(err)
	}
	d := v1.Descriptor{Digest: hash.Digest(), Size: n}
	if want != "" && d.Digest != want {
		return d, status.Errorf(status.Bad, "%s: digest mismatch, the content is %s", want, d.Digest)
	}
	path, err := p.blobPath(d.Digest)
	if err != nil {
		return d, err
	}
	return d, os.Rename(f.Name(), path)
}

// SetIndex writes index.json.
func (p *Pending) SetIndex(raw []byte) error {
	return hintFull(os.WriteFile(filepath.Join(p.dir, v1.ImageIndexFile), raw, 0o600))
}

// Keep moves a blob to the layout of the Writer.
func (p *Pending) Keep(d v1.Descriptor) error {
	path, err := p.blobPath(d.Digest)
	if err != nil {
		return err
	}
	if err := stage.SyncPath(path); err != nil {
		return hintFull(err)
	}
	return p.to.install(path, d)
}

// CheckBlob returns an error if a blob is missing or has another size. It does not
// read it.
func (l *Layout) CheckBlob(d v1.Descriptor) error {
	f, err := l.open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Size() != d.Size {
		err = status.Errorf(status.Bad, "%s: blob %s has %d bytes, not %d", l.name, d.Digest, info.Size(), d.Size)
	}
	return err
}

// CopyBlob copies a blob of another layout that CheckBlob has checked, with a reflink where the filesystem has
// them. The copy is checked, because the other layout may change meanwhile.
func (w *Writer) CopyBlob(ctx context.Context, from *Layout, d v1.Descriptor, progress func(n int64)) error {
	src, err := from.open(d)
	if err != nil {
		return err
	}
	defer src.Close()
	f, err := w.newFile()
	if err != nil {
		return hintFull(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := sparse.Copy(ctx, f, src); err != nil {
		return hintFull(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	check := Verify(&counter{sparse.Interruptible(ctx, f), progress}, d)
	if _, err := io.Copy(io.Discard, check); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return hintFull(err)
	}
	return w.install(f.Name(), d)
}

// A counter reports the bytes read.
type counter struct {
	io.Reader
	progress func(n int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.progress(int64(n))
	return n, err
}

// install renames a file that is complete and synced to the path of a blob.
func (w *Writer) install(file string, d v1.Descriptor) error {
	if err := w.CheckPlace(d.Digest); err != nil {
		return err
	}
	path, err := w.blobPath(d.Digest)
	if err != nil {
		return err
	}
	if err := stage.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := w.share(file); err != nil {
		return err
	}
	if err := os.Rename(file, path); err != nil {
		return err
	}
	return stage.SyncPath(filepath.Dir(path))
}

// newFile makes a file in the temporary directory.
func (w *Writer) newFile() (*os.File, error) {
	path, err := w.temporary()
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
}

// temporary returns an unused path in the temporary directory.
func (w *Writer) temporary() (string, error) {
	dir, err := w.staged()
	return filepath.Join(dir, strconv.FormatInt(w.last.Add(1), 10)), err
}
