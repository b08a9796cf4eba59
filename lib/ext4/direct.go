// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"os"

	"banger/lib/status"
)

// createDirect has mkfs.ext4 make the filesystem, empty, and fills it.
//
// The size is exact if the blocks of all files are counted. If they are
// estimates, the count comes out while the files are read; and if that makes
// for another size, the image is made once more.
func (mk *Mkfs) createDirect(ctx context.Context, path string, o Options) error {
	if err := check(o.Tree, directly); err != nil {
		return err
	}
	p, err := newPlan(o)
	if err != nil {
		return err
	}
	o.eaInode = p.large
	again, err := mk.tryDirect(ctx, path, o, p, false)
	if again {
		_, err = mk.tryDirect(ctx, path, o, p, true)
	}
	return err
}

// An attempt is what is known of a size while a filesystem of it is filled.
type attempt struct {
	exact  bool        // the blocks of files are counted, not estimated
	sized  func() bool // whether it is the size that would be found by what is known now
	inVain bool        // it is not: files are only counted
}

// tryDirect makes the image, of a tree whose blocks are exact or estimated. In
// the second case they are exact afterwards, and again tells that another size,
// or any, might be found for them.
func (mk *Mkfs) tryDirect(ctx context.Context, path string, o Options, p *plan, exact bool) (again bool, err error) {
	d := p.demand
	g, tooSmall := mk.size(ctx, path, o, d)
	if tooSmall != nil && (exact || !errors.Is(tooSmall, errNoRoom)) {
		return false, tooSmall
	}
	sized := func() bool {
		return tooSmall == nil && (o.Size > 0 || d.promise(o).size == g.size && p.promise(o).size == g.size)
	}
	w, err := fill(ctx, path, o, p, attempt{exact: exact, sized: sized, inVain: tooSmall != nil})
	switch {
	case err != nil && !errors.Is(err, errNoRoom):
		return false, err
	case w.recounted && (w.inVain || !sized()):
		return true, nil
	case tooSmall != nil:
		return false, tooSmall
	case err == nil && w.FreeBlocks() >= g.free:
		return false, nil
	}
	return false, status.Errorf(status.Create, "%d bytes: %w", g.size, errNoRoom)
}

// fill fills the empty filesystem at path. The error is errNoRoom if it is too
// small, or if that is in vain: all files are read and counted even so.
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
	if w.full || w.inVain {
		return w, errNoRoom
	}
	if err := errors.Join(w.space.close(), w.table.close(), m.finish()); err != nil {
		return w, err
	}
	return w, m.Close()
}
