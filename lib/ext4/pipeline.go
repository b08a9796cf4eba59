// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// A pipeline moves batches through feed, read, place and write. Several goroutines
// read and write at the same time; place takes the batches in the order in which
// they were fed. Every channel has room for all batches, so a goroutine waits only
// for input, and the pipeline ends when the feeder does.
type pipeline struct {
	*filler
	feeder feeder
	idle   chan *batch // free for the feeder
	fed    chan *batch // to be read, in any order
	order  chan *batch // to be placed once read
	placed chan *batch // to be written
}

// writers is the number of goroutines that write, so that the next write is
// prepared while the kernel copies.
const writers = 2

// Limits of memory use and of open directories, independent of the machine.
const (
	maxReaders  = 8
	maxOpenDirs = 64 // in addition to the path to the current directory
)

// run reads the tree below root and writes it to the image.
func (w *filler) run(ctx context.Context, root string) error {
	readers := min(runtime.GOMAXPROCS(0), maxReaders)
	batches := make([]batch, 2*(readers+writers))
	count := len(batches)
	p := pipeline{filler: w, idle: make(chan *batch, count), fed: make(chan *batch, count),
		order: make(chan *batch, count), placed: make(chan *batch, count)}
	for i := range batches {
		batches[i] = batch{buf: make([]byte, 0, 2*batchSize), read: make(chan error, 1), maxDone: maxOpenDirs / count}
		p.idle <- &batches[i]
	}
	g, ctx := errgroup.WithContext(ctx)
	p.feeder = feeder{ctx: ctx, plan: w.plan, root: root, idle: p.idle, send: p.send}
	g.Go(p.feed)
	for range readers {
		g.Go(p.read)
	}
	g.Go(p.place)
	for range writers {
		g.Go(p.write)
	}
	err := g.Wait()
	p.feeder.close()
	for i := range batches {
		batches[i].reset()
	}
	return err
}

func (p *pipeline) feed() error {
	defer close(p.fed)
	defer close(p.order)
	return p.feeder.feed()
}

func (p *pipeline) send(b *batch) error {
	p.fed <- b
	p.order <- b
	return p.feeder.ctx.Err()
}

func (p *pipeline) read() error {
	for b := range p.fed {
		b.read <- b.fill(p.Image, p.plan)
	}
	return nil
}

func (p *pipeline) place() error {
	defer close(p.placed)
	for b := range p.order {
		if err := <-b.read; err != nil {
			return err
		}
		if err := p.filler.place(b); err != nil {
			return err
		}
		p.placed <- b
	}
	return nil
}

func (p *pipeline) write() error {
	for b := range p.placed {
		if err := p.filler.write(b); err != nil {
			return err
		}
		b.reset()
		p.idle <- b
	}
	return nil
}
