// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/decompress"
	"banger/lib/input"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/sparse"
	"banger/lib/status"
)

// read reads the archive into a layout that is pending.
func (p *pull) read(ctx context.Context) (*layout.Pending, error) {
	f, err := p.openArchive(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pending, err := p.to.NewPending("archive")
	if err != nil {
		return nil, err
	}
	a := newArchive(pending, p.to.CheckRoom)
	if err := p.unpack(ctx, a, f); err != nil {
		return nil, err
	}
	index, err := a.index(ctx)
	if err != nil {
		return nil, err
	}
	return pending, pending.SetIndex(index)
}

// unpack adds the files of an archive, which may be compressed.
func (p *pull) unpack(ctx context.Context, a *archive, f io.Reader) error {
	in := bufio.NewReaderSize(sparse.Interruptible(ctx, &counted{f, p.progress}), 1<<16)
	if _, err := in.Peek(1); err == io.EOF {
		return status.Errorf(status.NoInput, "empty, not an archive")
	}
	data, err := decompress.All.Reader(in)
	if err != nil {
		return layer.DataError(err)
	}
	defer data.Close()
	return a.add(ctx, data)
}

// counted reports the bytes read.
type counted struct {
	io.Reader
	progress func(total, done int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.progress(0, int64(n))
	return n, err
}

// openArchive opens the file of the reference, or standard input.
func (p *pull) openArchive(ctx context.Context) (io.ReadCloser, error) {
	if p.at.path == "" {
		if f, ok := p.Stdin.(*os.File); ok {
			if err := p.announce(f); err != nil {
				return nil, err
			}
		}
		return interruptible(ctx, p.Stdin), nil
	}
	f, err := input.OpenStream(ctx, p.at.path)
	if err != nil {
		return nil, err
	}
	if err := p.announce(f.File); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// announce reports the size of the archive, if it is known, and checks that there
// is room for as much: compressed, it needs more.
func (p *pull) announce(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	p.progress(info.Size(), 0)
	return p.to.CheckRoom(info.Size())
}

// interruptible returns a reader of r that ends with the context, even while a read
// of r waits.
func interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	in, out := io.Pipe()
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		_, err := io.CopyBuffer(out, struct{ io.Reader }{r}, make([]byte, 1<<18))
		out.CloseWithError(err)
	}()
	return in
}

// index returns the index.json of the layout that the archive holds or stands for.
func (a *archive) index(ctx context.Context) ([]byte, error) {
	mark, marked := a.documents[v1.ImageLayoutFile]
	index, indexed := a.documents[v1.ImageIndexFile]
	manifest, saved := a.documents[manifestFile]
	switch {
	case marked && indexed:
		return index, checkLayout(mark, index)
	case saved:
		return a.convert(ctx, manifest)
	}
	err := status.Errorf(status.Bad, "not an image: the archive has neither an index.json with an oci-layout nor a %s", manifestFile)
	return nil, status.Hint(err, "docker save and podman save write archives of images, docker export does not")
}

// checkLayout checks oci-layout and index.json (image-spec, image-layout.md).
func checkLayout(mark, raw []byte) error {
	var version v1.ImageLayout
	if err := json.Unmarshal(mark, &version); err != nil || version.Version != v1.ImageLayoutVersion {
		return status.Errorf(status.Bad, "%s: unsupported version, not %s", v1.ImageLayoutFile, v1.ImageLayoutVersion)
	}
	var index v1.Index
	if err := input.Unmarshal(raw, &index, input.MaxValues); err != nil {
		return status.Errorf(status.Bad, "%s: %w", v1.ImageIndexFile, err)
	}
	return nil
}
