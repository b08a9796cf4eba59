// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"sync/atomic"

	"banger/lib/tree"
)

// A filler fills an empty filesystem in one sweep: blocks are taken, and
// inodes, in the order in which they come.
type filler struct {
	*Image
	plan  *plan
	space space
	table *table
	sweep *sweep // of the batch at hand

	shared     map[blockKey]*sharedBlock
	rootValues []*attribute // not written yet

	extents extentList // of the inode at hand
	blocks  int64      // that it has so far, of all kinds
	counted counted    // of its content

	attempt
	recounted bool // a file has other blocks that are not all zeros than was estimated
	full      bool // there is no more room: files are only counted

	progress func(written int64)
	written  atomic.Int64 // bytes of contents
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
		Image: m, plan: p, table: t, space: space{m: m, released: map[int64]bool{}},
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

// place finds the places of what is in a batch.
func (w *filler) place(b *batch) error {
	w.sweep = &b.sweep
	for i := range b.parts {
		if err := w.part(&b.parts[i]); err != nil {
			return b.parts[i].errorf(err)
		}
	}
	return nil
}

// write writes a batch to its place.
func (w *filler) write(b *batch) error {
	written, err := b.sweep.write(w.f)
	if err != nil {
		return err
	}
	if total := w.written.Add(written); w.progress != nil {
		w.progress(total)
	}
	return nil
}

// part places a part, and with the last one the inode.
func (w *filler) part(p *part) error {
	for _, r := range p.runs {
		w.counted.add(r)
		if w.full || w.inVain {
			continue
		}
		err := w.content(r.logical, p.content[r.offset:][:r.count*blockSize])
		if err != nil && !errors.Is(err, errNoRoom) {
			return err
		}
		w.full = err != nil
	}
	if !p.last {
		return nil
	}
	err := w.recount(p.n)
	if err == nil && !w.full && !w.inVain {
		err = w.inode(p)
	}
	w.extents, w.blocks, w.counted = w.extents[:0], 0, counted{}
	if errors.Is(err, errNoRoom) {
		w.full, err = true, nil
	}
	return err
}

// recount corrects what was said of a file, if it was an estimate.
func (w *filler) recount(n *tree.Inode) error {
	if n.Type != tree.File || n.Blocks == w.counted.blocks && n.Runs == w.counted.runs {
		return nil
	}
	if w.exact {
		return errors.New("other blocks of it are zeros than before: did the tree change meanwhile?")
	}
	w.plan.recount(n, w.counted.blocks, w.counted.runs)
	w.recounted = true
	w.inVain = w.inVain || !w.sized()
	return nil
}

// counted is what is known of a file's content so far: blocks, the runs that they
// form, and where the last one ends.
type counted struct{ blocks, runs, end int64 }

func (c *counted) add(r run) {
	if r.logical != c.end || c.runs == 0 {
		c.runs++
	}
	c.blocks, c.end = c.blocks+r.count, r.logical+r.count
}

// content places blocks of the inode at hand where there is room.
func (w *filler) content(logical int64, content []byte) error {
	for len(content) > 0 {
		first, count, err := w.space.take(int64(len(content)) / blockSize)
		if err != nil {
			return err
		}
		w.extents.add(extent{logical, first, count})
		w.sweep.add(first*blockSize, content[:count*blockSize])
		logical, content = logical+count, content[count*blockSize:]
		w.blocks += count
	}
	return nil
}

// newBlock finds a place for a block that is not of the content.
func (w *filler) newBlock(content []byte) (physical int64, err error) {
	physical, _, err = w.space.take(1)
	if err != nil {
		return 0, err
	}
	w.blocks++
	w.sweep.add(physical*blockSize, content)
	return physical, nil
}
