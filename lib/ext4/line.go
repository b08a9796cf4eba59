// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// A line is the way of the batches: fed, read by several at once, placed in the
// order in which they were fed, written, and fed again. Each station has room
// for all batches there are, so that nobody waits but for an idle one, and the
// line ends when the feeder does.
type line struct {
	*filler
	feeder feeder
	idle   chan *batch
	fed    chan *batch // to be read, in no order
	order  chan *batch // to be placed, once they are read
	placed chan *batch
}

// writers is how many batches are written at the same time: one is copied while
// the next one is handed to the kernel.
const writers = 2

// Whatever the machine, a line takes some MiB, and has so many directories open
// beside those on the way to the one at hand.
const (
	mostReaders = 8
	mostOpen    = 64
)

// run reads the tree below root, on several processors, and writes it.
func (w *filler) run(ctx context.Context, root string) error {
	readers := min(runtime.GOMAXPROCS(0), mostReaders)
	batches := make([]batch, 2*(readers+writers))
	count := len(batches)
	l := line{filler: w, idle: make(chan *batch, count), fed: make(chan *batch, count),
		order: make(chan *batch, count), placed: make(chan *batch, count)}
	for i := range batches {
		batches[i] = batch{buf: make([]byte, 0, 2*batchSize), read: make(chan error, 1), most: mostOpen / count}
		l.idle <- &batches[i]
	}
	g, ctx := errgroup.WithContext(ctx)
	l.feeder = feeder{ctx: ctx, plan: w.plan, root: root, idle: l.idle, send: l.send}
	g.Go(l.feed)
	for range readers {
		g.Go(l.read)
	}
	g.Go(l.place)
	for range writers {
		g.Go(l.write)
	}
	err := g.Wait()
	l.feeder.close()
	for i := range batches {
		batches[i].reset()
	}
	return err
}

func (l *line) feed() error {
	defer close(l.fed)
	defer close(l.order)
	return l.feeder.feed()
}

func (l *line) send(b *batch) error {
	l.fed <- b
	l.order <- b
	return l.feeder.ctx.Err()
}

func (l *line) read() error {
	for b := range l.fed {
		b.read <- b.fill(l.Image, l.plan)
	}
	return nil
}

func (l *line) place() error {
	defer close(l.placed)
	for b := range l.order {
		if err := <-b.read; err != nil {
			return err
		}
		if err := l.filler.place(b); err != nil {
			return err
		}
		l.placed <- b
	}
	return nil
}

func (l *line) write() error {
	for b := range l.placed {
		if err := l.filler.write(b); err != nil {
			return err
		}
		b.reset()
		l.idle <- b
	}
	return nil
}
