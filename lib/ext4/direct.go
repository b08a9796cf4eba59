// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"os"
)

// createDirect makes an empty filesystem with mkfs.ext4 and fills it.
//
// The block counts of files may be estimates until the files are read. If the
// real counts lead to another size of the image, it is made a second time.
func (mk *Mkfs) createDirect(ctx context.Context, path string, o Options) error {
	if err := checkTree(o.Tree, checkForDirect); err != nil {
		return err
	}
	p, err := newPlan(o)
	if err != nil {
		return err
	}
	o.eaInode = p.eaInode
	again, err := mk.tryDirect(ctx, path, o, p, false)
	if again {
		_, err = mk.tryDirect(ctx, path, o, p, true)
	}
	return err
}

// An attempt fills a filesystem whose size is computed from estimates. If the
// estimates do not fit in the requested size, or once the counted blocks lead to
// another size, nothing more is written and the rest of the files is only counted.
type attempt struct {
	exact     bool        // the blocks of files are counted, not estimated
	sizeHolds func() bool // reports whether the blocks counted so far lead to the same size
	countOnly bool        // files are read only to count their blocks
}

// tryDirect makes the image. exact reports whether the blocks of files are
// counted; afterwards they are. again reports whether a second attempt with the
// counted blocks might lead to another size.
func (mk *Mkfs) tryDirect(ctx context.Context, path string, o Options, p *plan, exact bool) (again bool, err error) {
	d := p.demand
	g, tooSmall := mk.size(ctx, path, o, d)
	if tooSmall != nil && (exact || !errors.Is(tooSmall, errNoRoom)) {
		return false, tooSmall
	}
	sizeHolds := func() bool {
		return tooSmall == nil && (o.Size > 0 || d.geometry(o).size == g.size && p.geometry(o).size == g.size)
	}
	w, err := fill(ctx, path, o, p, attempt{exact: exact, sizeHolds: sizeHolds, countOnly: tooSmall != nil})
	switch {
	case err != nil && !errors.Is(err, errNoRoom):
		return false, err
	case w.recounted && (w.countOnly || !sizeHolds()):
		return true, nil
	case tooSmall != nil:
		return false, tooSmall
	case err == nil && w.FreeBlocks() >= g.free:
		return false, nil
	}
	return false, noRoom(errNoRoom, o, g)
}

// fill fills the empty filesystem at path. It returns errNoRoom if the filesystem
// is too small or if files were only counted; all files are read in either case.
func fill(ctx context.Context, path string, o Options, p *plan, a attempt) (*filler, error) {
	m, err := open(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	w, err := newFiller(m, p)
	if err != nil {
		return nil, err
	}
	w.progress, w.attempt = o.Progress, a
	if err := w.run(ctx, o.Root); err != nil {
		return w, err
	}
	if w.full || w.countOnly {
		return w, errNoRoom
	}
	if err := errors.Join(w.space.leaveGroup(), w.table.close(), m.finish()); err != nil {
		return w, err
	}
	return w, m.Close()
}
