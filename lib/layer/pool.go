// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"banger/lib/sparse"
)

// maxBuffered is the largest content, in bytes, that is copied and processed
// while the archive is read on. Most contents are smaller: creating the file
// costs more than the copy.
const maxBuffered = 256 << 10

// A pool processes file contents on all processors while archives are read.
type pool struct {
	workers *errgroup.Group
	ctx     context.Context
	buffers sync.Pool
}

func newPool(ctx context.Context) *pool {
	p := &pool{buffers: sync.Pool{New: func() any { return new([maxBuffered]byte) }}}
	p.workers, p.ctx = errgroup.WithContext(ctx)
	p.workers.SetLimit(runtime.GOMAXPROCS(0))
	return p
}

// Wait waits until all contents are processed. Their inodes are incomplete
// until then.
func (p *pool) Wait() error { return p.workers.Wait() }

// do calls work on src at once if it is large, else on a copy in a worker.
func (p *pool) do(src *sparse.Source, work func(*sparse.Source) error) error {
	stored := src.StoredSize()
	if stored > maxBuffered {
		return work(src)
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	buf := p.buffers.Get().(*[maxBuffered]byte)
	if _, err := io.ReadFull(src, buf[:stored]); err != nil {
		return err
	}
	buffered := *src
	buffered.Reader, buffered.Bytes = bytes.NewReader(buf[:stored]), buf[:stored]
	p.workers.Go(func() error {
		defer p.buffers.Put(buf)
		return work(&buffered)
	})
	return nil
}
