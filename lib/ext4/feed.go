// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// A feeder divides a tree into batches, in inode order, and opens their
// directories on the host. It opens each relative to its parent, so that no path
// has more than one component and no symlink is followed.
type feeder struct {
	ctx  context.Context
	plan *plan
	root string
	idle <-chan *batch
	send func(*batch) error

	batch *batch
	in    []*os.File // the directories from the root to the current one; nil if not opened
	file  *os.File   // the file that is being fed in parts
}

// feed feeds the whole tree.
func (f *feeder) feed() error {
	if err := f.plan.walk(f.visit, f.leave); err != nil {
		return err
	}
	if f.batch == nil {
		return nil
	}
	return f.send(f.batch)
}

// close closes the files that an error has left open. No goroutine may still be
// reading them.
func (f *feeder) close() {
	for _, file := range append(f.in, f.file) {
		if file != nil {
			file.Close()
		}
	}
}

// visit feeds an inode.
func (f *feeder) visit(dir *tree.Inode, name string, n *tree.Inode) error {
	p := part{dir: dir, name: name, n: n, last: true}
	var err error
	switch {
	case n.Type == tree.Dir:
		if err = f.enter(&p); err == nil {
			err = f.add(p, 0)
		}
	case n.Type == tree.File && n.Size > 0:
		p.in = f.in[len(f.in)-1]
		if n.Size <= batchSize && n.Blocks == blocksOf(n.Size) {
			p.to = n.Size
			return f.add(p, n.Size)
		}
		err = f.addParts(p)
	default:
		err = f.add(p, 0)
	}
	return err
}

// enter opens a directory, unless it is empty.
func (f *feeder) enter(p *part) (err error) {
	var in *os.File
	switch {
	case p.dir == nil:
		in, err = os.OpenFile(f.root, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	case p.n.Len() > 0:
		var fd int
		if fd, err = openAt(f.in[len(f.in)-1], p.name); err == nil {
			in = os.NewFile(uintptr(fd), p.name)
		}
	}
	if err != nil {
		return p.errorf(err)
	}
	f.in = append(f.in, in)
	return nil
}

// leave schedules a directory to be closed with the current batch.
func (f *feeder) leave(*tree.Inode) {
	last := len(f.in) - 1
	if in := f.in[last]; in != nil {
		f.batch.done = append(f.batch.done, in)
	}
	f.in = f.in[:last]
}

// addParts feeds a large or sparse file in parts, without its holes. The last
// part is empty and only checks the size.
func (f *feeder) addParts(p part) error {
	fd, err := openAt(p.in, p.name)
	if err != nil {
		return p.errorf(err)
	}
	f.file = os.NewFile(uintptr(fd), p.name)
	p.file, p.last = f.file, false
	err = sparse.Ranges(p.file, p.n.Size, func(from, to int64) error {
		for p.from = from; p.from < to; p.from = p.to {
			p.to = min(to, p.from+batchSize)
			if err := f.add(p, p.to-p.from); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return p.errorf(err)
	}
	p.from, p.to, p.last = p.n.Size, p.n.Size, true
	if err := f.add(p, 0); err != nil {
		return err
	}
	f.batch.done, f.file = append(f.batch.done, f.file), nil
	return nil
}

// add adds a part with size bytes of content to the current batch, or to the
// next one if that is full.
func (f *feeder) add(p part, size int64) error {
	if f.batch != nil && f.batch.full() {
		if err := f.send(f.batch); err != nil {
			return err
		}
		f.batch = nil
	}
	if f.batch == nil {
		select {
		case f.batch = <-f.idle:
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
	p.content = f.batch.alloc(roundUp(size, blockSize))
	f.batch.parts = append(f.batch.parts, p)
	return nil
}
