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

// small is the size of a content, in bytes, up to which it is dealt with while
// the archive is read on. Most contents are; what they cost is the file.
const small = 256 << 10

// beside deals with contents on all processors, beside the reading of archives.
type beside struct {
	workers *errgroup.Group
	ctx     context.Context
	buffers sync.Pool
}

func newBeside(ctx context.Context) *beside {
	b := &beside{buffers: sync.Pool{New: func() any { return new([small]byte) }}}
	b.workers, b.ctx = errgroup.WithContext(ctx)
	b.workers.SetLimit(runtime.GOMAXPROCS(0))
	return b
}

// Wait waits until all contents are dealt with. Until then, the inodes that
// have them are not complete.
func (b *beside) Wait() error { return b.workers.Wait() }

// do deals with a content: at once if it is large, else with a copy of it.
func (b *beside) do(src *sparse.Source, work func(*sparse.Source) error) error {
	stored := src.Stored()
	if stored > small {
		return work(src)
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	buf := b.buffers.Get().(*[small]byte)
	if _, err := io.ReadFull(src, buf[:stored]); err != nil {
		return err
	}
	kept := *src
	kept.Reader, kept.Bytes = bytes.NewReader(buf[:stored]), buf[:stored]
	b.workers.Go(func() error {
		defer b.buffers.Put(buf)
		return work(&kept)
	})
	return nil
}
