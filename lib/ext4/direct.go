// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"
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
	// An extent that ends where something lies in its way is one more than was
	// counted, which may be what an extent tree has no room for.
	counted, more := false, int64(0)
	for more < 8*sizeStep/blockSize {
		d := p.demand
		d.blocks += more
		g, err := mk.size(ctx, path, o, d)
		if err != nil {
			return err
		}
		sized := func() bool {
			return o.Size > 0 || d.promise(o).size == g.size && p.promise(o).size == g.size
		}
		w, err := fill(ctx, path, o, p, sized)
		switch {
		case err != nil && !errors.Is(err, errNoRoom):
			return err
		case w.recounted && counted:
			return errChanged
		case w.inVain || w.recounted && !sized():
			counted, more = true, 0
		case err == nil && w.FreeBlocks() >= g.free:
			return nil
		case o.Size > 0:
			return status.Errorf(status.Create, "%d bytes: %w", g.size, errNoRoom)
		default:
			more += sizeStep / blockSize
		}
	}
	return fmt.Errorf("%w, whatever its size", errNoRoom)
}

// fill fills the empty filesystem at path. The error is errNoRoom if it is too
// small, or sized came to say that it has another size than it should: all files
// are read and counted even so.
func fill(ctx context.Context, path string, o Options, p *plan, sized func() bool) (*filler, error) {
	m, err := open(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	w, err := newFiller(m, p)
	if err != nil {
		return nil, err
	}
	w.progress, w.sized = o.Progress, sized
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
