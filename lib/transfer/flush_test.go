// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// After a flush or the sync at the end has failed, nothing that was written is taken
// for good.
func TestSyncFails(t *testing.T) {
	fails := func(int) error { return unix.EIO }
	works := func(int) error { return nil }
	for name, d := range map[string]disk{"flush": {works, fails}, "sync": {fails, works}} {
		t.Run(name, func(t *testing.T) {
			flushed := make(chan struct{})
			flush := sync.OnceFunc(func() { close(flushed) })
			h := &fake{content: content}
			h.answer = func(_ context.Context, _, from, to int64) (*Answer, error) {
				a := h.part(from, to)
				a.Body = &gated{a.Body, h, flushed}
				return a, nil
			}
			r := newRun(t)
			p, err := TryLock(r.path)
			if err != nil {
				t.Fatal(err)
			}
			p.geometry = small
			p.disk = disk{d.fsync, func(fd int) error { flush(); return d.fdatasync(fd) }}
			if err := p.Fetch(t.Context(), r.blob(h)); !errors.Is(err, unix.EIO) {
				t.Error(err)
			}
			p.Close()
			sent := h.sent.Load()
			r.mustFetch(r.blob(h))
			if again := h.sent.Load() - sent; again != blobSize {
				t.Errorf("%d bytes were fetched again", again)
			}
		})
	}
}

// An interrupted sync is repeated.
func TestSyncInterrupted(t *testing.T) {
	calls := 0
	f := &fetch{Part: &Part{file: os.Stdin}}
	err := f.sync(func(int) error {
		if calls++; calls < 3 {
			return unix.EINTR
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// A gated reader waits for a flush when half of a blob was sent.
type gated struct {
	io.ReadCloser
	host    *fake
	flushed <-chan struct{}
}

func (g *gated) Read(p []byte) (int, error) {
	if g.host.sent.Load() >= blobSize/2 {
		<-g.flushed
	}
	return g.ReadCloser.Read(p)
}
