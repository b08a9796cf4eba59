// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"banger/lib/tree"
)

// A filler fills an empty filesystem in one sweep: blocks are taken, and
// inodes, in the order in which they come.
type filler struct {
	*Image
	plan  *plan
	space space
	sweep sweep
	table *table

	shared map[blockKey]*sharedBlock

	extents extentList // of the inode at hand
	blocks  int64      // that it has so far, of all kinds
	counted struct{ blocks, runs, end int64 }

	recounted bool        // a file has other blocks that are not all zeros than it was said
	sized     func() bool // whether the size is what it should be, by that count
	inVain    bool        // it is not: files are only counted
	full      bool        // there is no more room: likewise
	progress  func(written int64)
}

func newFiller(m *Image, p *plan) (*filler, error) {
	if m.hashSeed() != p.seed || m.super[sbHashVersion] != hashHalfMD4 {
		return nil, errors.New("mkfs.ext4 has not taken the hash seed that it was given")
	}
	t, err := newTable(m)
	if err != nil {
		return nil, err
	}
	w := &filler{
		Image: m, plan: p, table: t, space: space{m: m, released: map[int64]bool{}}, sweep: sweep{f: m.f},
		shared: map[blockKey]*sharedBlock{},
	}
	// What mke2fs gave the root and lost+found is written anew, like any other.
	for _, ino := range []uint32{rootIno, lostFoundIno} {
		raw, err := m.readInode(ino)
		if err != nil {
			return nil, err
		}
		err = m.extents(ino, raw, func(e extent) error {
			for i := range e.count {
				w.space.released[e.physical+i] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// run reads the tree below root, on all processors, and writes it.
func (w *filler) run(ctx context.Context, root string) error {
	readers := runtime.GOMAXPROCS(0)
	count := 2*readers + 2
	idle, work, order := make(chan *batch, count), make(chan *batch, count), make(chan *batch, count)
	for range count {
		idle <- &batch{buf: make([]byte, 0, batchSize+batchSize/4), read: make(chan error, 1)}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		f := feeder{ctx: ctx, plan: w.plan, root: root, idle: idle, send: func(b *batch) error {
			work <- b // there is room for all there are
			order <- b
			return ctx.Err()
		}}
		return f.feed()
	})
	for range readers {
		g.Go(func() error {
			for b := range work {
				b.read <- b.fill(w.Image, w.plan)
			}
			return nil
		})
	}
	g.Go(func() error {
		for b := range order {
			if err := w.batch(b); err != nil {
				return err
			}
			b.reset()
			idle <- b
		}
		return nil
	})
	return g.Wait()
}

// batch writes a batch once it is read.
func (w *filler) batch(b *batch) error {
	if err := <-b.read; err != nil {
		return err
	}
	for i := range b.parts {
		if err := w.part(&b.parts[i]); err != nil {
			return b.parts[i].errorf(err)
		}
	}
	for _, f := range b.done {
		f.Close()
	}
	if err := w.sweep.flush(); err != nil {
		return err
	}
	if w.progress != nil {
		w.progress(w.sweep.written)
	}
	return nil
}

// part writes a part, and with the last one the inode.
func (w *filler) part(p *part) error {
	for _, r := range p.runs {
		w.count(r)
		if w.full || w.inVain {
			continue
		}
		err := w.write(r.logical, p.content[r.offset:][:r.count*blockSize])
		if err != nil && !errors.Is(err, errNoRoom) {
			return err
		}
		w.full = err != nil
	}
	if !p.last {
		return nil
	}
	w.recount(p.n)
	err := error(nil)
	if !w.full && !w.inVain {
		err = w.inode(p)
	}
	w.extents, w.blocks, w.counted.blocks, w.counted.runs, w.counted.end = w.extents[:0], 0, 0, 0, 0
	if errors.Is(err, errNoRoom) {
		w.full, err = true, nil
	}
	return err
}

// recount corrects what was said of a file, if it was wrong.
func (w *filler) recount(n *tree.Inode) {
	if n.Type != tree.File || n.Blocks == w.counted.blocks && n.Runs == w.counted.runs {
		return
	}
	w.plan.recount(n, w.counted.blocks, w.counted.runs)
	w.recounted = true
	w.inVain = w.inVain || !w.sized()
}

// count counts the blocks of the file at hand.
func (w *filler) count(r run) {
	if r.logical != w.counted.end || w.counted.runs == 0 {
		w.counted.runs++
	}
	w.counted.blocks += r.count
	w.counted.end = r.logical + r.count
}

// write writes blocks of the inode at hand to where there is room.
func (w *filler) write(logical int64, content []byte) error {
	for len(content) > 0 {
		first, count, err := w.space.take(int64(len(content)) / blockSize)
		if err != nil {
			return err
		}
		w.extents.add(extent{logical, first, count})
		if err := w.sweep.add(first*blockSize, content[:count*blockSize]); err != nil {
			return err
		}
		logical, content = logical+count, content[count*blockSize:]
		w.blocks += count
	}
	return nil
}

// newBlock writes a block that is not of the content.
func (w *filler) newBlock(content []byte) (physical int64, err error) {
	physical, _, err = w.space.take(1)
	if err != nil {
		return 0, err
	}
	w.blocks++
	return physical, w.sweep.add(physical*blockSize, content)
}
