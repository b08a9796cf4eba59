// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// A feeder cuts a tree into batches, in the order of the inodes, and opens the
// directories on the host that they are to be read from: each in the one above
// it, so that no name is ever more than one component.
type feeder struct {
	ctx  context.Context
	plan *plan
	root string
	idle <-chan *batch
	send func(*batch) error

	batch *batch
	in    []*os.File // from the root down to the directory at hand; nil where the host has none
	file  *os.File   // that is being fed in parts
}

// feed feeds all of the tree.
func (f *feeder) feed() error {
	if err := f.plan.walk(f.visit, f.leave); err != nil {
		return err
	}
	if f.batch == nil {
		return nil
	}
	return f.send(f.batch)
}

// close closes what an error has left open, once nobody reads from it.
func (f *feeder) close() {
	for _, left := range append(f.in, f.file) {
		if left != nil {
			left.Close()
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

// enter opens a directory that there is something to read in.
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

// leave has a directory closed, once what was fed is read.
func (f *feeder) leave(*tree.Inode) {
	last := len(f.in) - 1
	if in := f.in[last]; in != nil {
		f.batch.done = append(f.batch.done, in)
	}
	f.in = f.in[:last]
}

// addParts feeds a file that is large, or has holes on the host, which are not
// read. The last part is the end, where nothing may follow.
func (f *feeder) addParts(p part) error {
	fd, err := openAt(p.in, p.name)
	if err != nil {
		return p.errorf(err)
	}
	f.file = os.NewFile(uintptr(fd), p.name)
	p.file, p.last = f.file, false
	err = sparse.Stretches(p.file, p.n.Size, func(from, to int64) error {
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

// add adds a part, whose content has a size, to the batch at hand, or to the
// next one if it is full.
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
	p.content = f.batch.room(roundUp(size, blockSize))
	f.batch.parts = append(f.batch.parts, p)
	return nil
}
