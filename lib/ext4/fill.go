// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"sync/atomic"

	"banger/lib/status"
	"banger/lib/tree"
)

// A filler fills an empty filesystem in one pass. It allocates blocks and inodes
// sequentially.
type filler struct {
	*Image
	plan  *plan
	space allocator
	table *table
	queue *writeQueue // of the current batch

	shared       map[blockKey]*sharedBlock
	rootEAInodes []*attribute // not written yet

	// The current inode.
	extents extentList
	blocks  int64      // allocated so far, of all kinds
	counted blockCount // of the content

	attempt
	recounted bool // the estimate for some file was wrong
	full      bool // out of space: files are only counted

	progress func(written int64)
	written  atomic.Int64 // bytes of contents
}

func newFiller(m *Image, p *plan) (*filler, error) {
	if m.hashSeed() != p.seed || m.super[sbHashVersion] != hashHalfMD4 {
		return nil, status.Hint(errors.New("mkfs.ext4 ignored the hash seed"), "install e2fsprogs")
	}
	t, err := newTable(m)
	if err != nil {
		return nil, err
	}
	w := &filler{
		Image: m, plan: p, table: t, space: allocator{m: m, released: map[int64]bool{}},
		shared: map[blockKey]*sharedBlock{},
	}
	// The root and lost+found are written again, so release their blocks.
	for _, ino := range []uint32{rootIno, lostFoundIno} {
		raw, err := m.readInode(ino)
		if err != nil {
			return nil, err
		}
		err = m.visitExtents(ino, raw, func(e extent) error {
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

// place allocates blocks and inodes for a batch.
func (w *filler) place(b *batch) error {
	w.queue = &b.queue
	for i := range b.parts {
		if err := w.placePart(&b.parts[i]); err != nil {
			return b.parts[i].errorf(err)
		}
	}
	return nil
}

// write writes a placed batch.
func (w *filler) write(b *batch) error {
	written, err := b.queue.write(w.f)
	if err != nil {
		return err
	}
	if total := w.written.Add(written); w.progress != nil {
		w.progress(total)
	}
	return nil
}

// placePart places a part and, if it is the last, its inode.
func (w *filler) placePart(p *part) error {
	for _, r := range p.runs {
		w.counted.add(r)
		if w.full || w.countOnly {
			continue
		}
		err := w.placeContent(r.logical, p.content[r.offset:][:r.count*blockSize])
		if err != nil && !errors.Is(err, errNoRoom) {
			return err
		}
		w.full = err != nil
	}
	if !p.last {
		return nil
	}
	err := w.recount(p.n)
	if err == nil && !w.full && !w.countOnly {
		err = w.placeInode(p)
	}
	w.extents, w.blocks, w.counted = w.extents[:0], 0, blockCount{}
	if errors.Is(err, errNoRoom) {
		w.full, err = true, nil
	}
	return err
}

// recount replaces the estimate for a file by its real block count.
func (w *filler) recount(n *tree.Inode) error {
	if n.Type != tree.File || n.Blocks == w.counted.blocks && n.Runs == w.counted.runs {
		return nil
	}
	if w.exact {
		return errChanged
	}
	w.plan.recount(n, w.counted.blocks, w.counted.runs)
	w.recounted = true
	w.countOnly = w.countOnly || !w.sizeHolds()
	return nil
}

// A blockCount counts nonzero blocks and the runs that they form.
type blockCount struct{ blocks, runs, end int64 } // end of the last run

func (c *blockCount) add(r run) {
	if r.logical != c.end || c.runs == 0 {
		c.runs++
	}
	c.blocks, c.end = c.blocks+r.count, r.logical+r.count
}

// placeContent allocates blocks for content of the current inode.
func (w *filler) placeContent(logical int64, content []byte) error {
	for len(content) > 0 {
		first, count, err := w.space.alloc(int64(len(content)) / blockSize)
		if err != nil {
			return err
		}
		w.extents.add(extent{logical, first, count})
		w.queue.add(first*blockSize, content[:count*blockSize])
		logical, content = logical+count, content[count*blockSize:]
		w.blocks += count
	}
	return nil
}

// newBlock allocates a metadata block of the current inode.
func (w *filler) newBlock(content []byte) (physical int64, err error) {
	physical, _, err = w.space.alloc(1)
	if err != nil {
		return 0, err
	}
	w.blocks++
	w.queue.add(physical*blockSize, content)
	return physical, nil
}
