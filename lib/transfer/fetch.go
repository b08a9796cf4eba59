// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"banger/lib/status"
)

// Fetch completes the part file: it fetches the bytes that are missing, checks size
// and digest, and syncs the file. The caller then calls Rename. If Fetch fails, the
// caller calls Close, and the next Lock and Fetch resume. An error has the code
// status.Bad if no host has the right bytes, status.Create if the disk is full,
// status.Temporary if the last host failed and may work later, or the code that
// the last host's error has. It is the error of ctx if that ended.
func (p *Part) Fetch(ctx context.Context, b Blob) error {
	if b.Size < 0 || len(b.Hosts) == 0 {
		return status.Errorf(status.Bad, "%s: no host, or invalid size %d", b.Digest, b.Size)
	}
	f := newFetch(p, b)
	if whole, err := f.isWhole(ctx); whole || err != nil {
		return err
	}
	checksums, err := p.openMap()
	if err != nil {
		return err
	}
	defer checksums.Close()
	f.checksums = checksums
	err = f.complete(ctx)
	if errors.As(err, new(*syncError)) {
		f.checksums.Truncate(0) // the next run fetches all
	}
	return err
}

// complete fetches what is missing until the blob is right.
func (f *fetch) complete(ctx context.Context) error {
	if err := f.resume(ctx); err != nil {
		return err
	}
	for {
		if err := f.run(ctx); err != nil {
			return err
		}
		err := f.verify(ctx)
		if err == nil {
			return f.sync(f.disk.fsync)
		}
		if ctx.Err() != nil || status.Of(err) != status.Bad {
			return err
		}
		final, from := f.final(), f.sources[max(f.last, 0)]
		if drop := f.restart(); drop != nil {
			return drop
		}
		if final {
			return err
		}
		f.log(from, err)
	}
}

// A fetch is one call of Fetch.
type fetch struct {
	*Part
	Blob
	checksums *os.File // the map
	sources   []*source
	prefix    *prefix
	flusher   *flusher

	mu       sync.Mutex // protects what follows
	spans    []*span    // sorted
	current  int        // the source that is asked
	first    int        // the sources that sent bytes since the last restart,
	last     int        // first to last; last is -1 if none did
	several  bool       // several workers may fetch them
	enough   func()     // ends recruit; nil if only one works
	seen     int        // how many workers of other blobs had ended at the start
	repeated bool       // restart was called
	longer   bool       // a host sent more bytes than the blob has
	skipped  int64      // bytes that were discarded
	group    *errgroup.Group
}

func newFetch(p *Part, b Blob) *fetch {
	f := &fetch{Part: p, Blob: b, prefix: newPrefix(), flusher: newFlusher(p.flush), first: len(b.Hosts), last: -1}
	f.seen, _ = b.Limiter.ended(b.Hosts[0].Name())
	for i, h := range b.Hosts {
		f.sources = append(f.sources, &source{Host: h, index: i, probing: make(chan struct{}, 1)})
	}
	return f
}

// run fetches all missing bytes.
func (f *fetch) run(ctx context.Context) error {
	for {
		err := f.round(ctx)
		if err != errOneStream {
			return err
		}
	}
}

// round fetches all missing bytes, first with one worker. It returns errOneStream if
// several were at work and a host turned out to have no ranges.
func (f *fetch) round(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	f.mu.Lock()
	f.group, f.enough = group, nil
	for _, s := range f.spans {
		s.owned = false
	}
	f.mu.Unlock()
	group.Go(func() error { return f.work(ctx, f.take(f.segment)) })
	beside, stop := context.WithCancel(ctx)
	var others errgroup.Group
	for _, other := range []func(context.Context) error{f.follow, f.flush} {
		others.Go(func() error {
			err := other(beside)
			if err != nil {
				cancel()
			}
			return err
		})
	}
	err := group.Wait()
	stop()
	if other := others.Wait(); other != nil {
		err = other
	}
	return err
}

// start starts recruit, now that a host has answered with a range.
func (f *fetch) start(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enough != nil || !f.several {
		return
	}
	needed, enough := context.WithCancel(ctx)
	f.enough = enough
	f.group.Go(func() error {
		defer enough()
		f.recruit(needed, func(s *span) { f.group.Go(func() error { return f.work(ctx, s) }) })
		return nil
	})
}

// recruit calls start for further workers until ctx ends: first for each segment that
// has none, as connections become free, then for half of the largest rest, when
// connections are free because another blob is complete.
func (f *fetch) recruit(ctx context.Context, start func(*span)) {
	workers := 1
	for ; workers < maxWorkers && !f.allOwned(); workers++ {
		slot, err := f.Limiter.acquire(ctx, f.source().Name())
		if err != nil || !f.begin(slot, start) {
			return
		}
	}
	for seen := f.seen; workers < maxWorkers; {
		n, err := f.Limiter.awaitEnd(ctx, f.source().Name(), seen)
		if err != nil {
			return
		}
		slot := f.Limiter.tryAcquire(f.source().Name())
		if slot == nil {
			seen = n
			continue
		}
		if !f.begin(slot, start) {
			return
		}
		workers++
	}
}

// begin starts a worker that has a slot, if there is a span for it.
func (f *fetch) begin(slot *slot, start func(*span)) bool {
	s := f.take(2 * f.segment)
	if s == nil {
		slot.free()
		return false
	}
	s.slot = slot
	start(s)
	return true
}

// work fetches a span, and then others until there is none to take.
func (f *fetch) work(ctx context.Context, s *span) error {
	for ; s != nil; s = f.take(f.segment) {
		err := f.fill(ctx, s)
		s.takeSlot().free()
		if err != nil {
			return err
		}
	}
	f.done()
	return nil
}

// done ends recruit, and leaves the connection of a worker to other blobs.
func (f *fetch) done() {
	f.mu.Lock()
	enough, name := f.enough, f.sources[f.current].Name()
	f.mu.Unlock()
	if enough != nil {
		enough()
	}
	if f.Size >= f.single { // a small one has no share that others could use
		f.Limiter.end(name)
	}
}

// isWhole reports whether the part file is the blob, of which Rename was killed. It
// fails only if ctx ends.
func (f *fetch) isWhole(ctx context.Context) (bool, error) {
	if !f.mayBeWhole(f.Size) {
		return false, nil
	}
	if f.verify(ctx) == nil {
		f.progress(f.Size)
		return true, nil
	}
	f.prefix = newPrefix()
	return false, ctx.Err()
}

// verify checks the digest of the complete part file, and that no host sent more.
func (f *fetch) verify(ctx context.Context) error {
	if err := f.prefix.read(ctx, f.file, f.Size); err != nil {
		return err
	}
	switch {
	case f.longer:
		return status.Errorf(status.Bad, "%s: longer than %d bytes", f.Digest, f.Size)
	case f.prefix.digest() != f.Digest:
		return status.Errorf(status.Bad, "%s: digest mismatch", f.Digest)
	}
	return nil
}

// final reports whether the bytes, which are wrong, are the last that are tried: the
// last host alone sent them, and it was not the first attempt.
func (f *fetch) final() bool {
	return f.Size == 0 || f.repeated && f.first == len(f.sources)-1
}

// restart drops all bytes. The blob is to be fetched as one stream, from the host
// after those that sent bytes, or once more from the last.
func (f *fetch) restart() error {
	if err := f.checksums.Truncate(0); err != nil {
		return err
	}
	if err := f.file.Truncate(0); err != nil {
		return err
	}
	if err := f.file.Truncate(f.Size); err != nil {
		return err
	}
	f.progress(-f.Size)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prefix = newPrefix()
	f.spans, f.several = []*span{{end: f.Size}}, false
	f.current = min(max(f.current, f.last+1), len(f.sources)-1)
	f.first, f.last = len(f.sources), -1
	f.repeated, f.longer, f.skipped = true, false, 0
	return nil
}

func (f *fetch) progress(n int64) {
	if f.Progress != nil && n != 0 {
		f.Progress(n)
	}
}

func (f *fetch) log(s *source, err error) {
	if f.Log != nil {
		f.Log(s.Name(), err)
	}
}
