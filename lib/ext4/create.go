// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"os"

	"banger/lib/status"
	"banger/lib/tree"
)

// Recipe is the version of the rules by which a tree becomes an image. It is
// raised whenever the same tree and options lead to different bytes.
const Recipe = 1

// Populate selects what fills the filesystem that mkfs.ext4 has made.
type Populate string

const (
	PopulateDirect Populate = "direct" // this package
	PopulateMkfs   Populate = "mkfs"   // mkfs.ext4 -d
)

// Options describe a filesystem to be made.
type Options struct {
	Tree    *tree.Tree // the content; Blocks and Runs of each file are counted
	Root    string     // directory that holds the files of Tree; not a symlink
	Created int64      // creation time of the filesystem in seconds since 1970
	Seed    [32]byte   // source of the UUID and of the hash seed
	Size    int64      // of the file in bytes, or 0 to compute it
	Free    int64      // free space in bytes, or negative for a quarter of the content
	Minimal bool       // make the file as small as possible

	// Populate defaults to PopulateDirect, for which the Blocks and Runs of files
	// may be upper bounds.
	Populate Populate

	Progress func(written int64) // is called with the number of bytes written; may be nil

	eaInode bool // some attribute needs the feature ea_inode
}

// Create writes an image to the file at path, which must exist and be empty. The
// same options and files lead to the same bytes: with PopulateMkfs for the same
// version of mkfs.ext4, otherwise for every version.
//
// Unless Size or Minimal is set, the file has at least 1 GiB, Free bytes of free
// space, and free inodes for a quarter of those used.
func (mk *Mkfs) Create(ctx context.Context, path string, o Options) error {
	if o.Populate != PopulateMkfs {
		return mk.createDirect(ctx, path, o)
	}
	if err := checkTree(o.Tree, checkForMkfs); err != nil {
		return err
	}
	g, err := mk.size(ctx, path, o, measure(o.Tree))
	if err != nil {
		return err
	}
	// The size is computed from upper bounds for extent trees and directories,
	// but mkfs.ext4 may need even more.
	for range 8 {
		err = mk.populate(ctx, path, o, g)
		if !errors.Is(err, errNoRoom) || o.Size > 0 {
			break
		}
		g.size += roundUp(g.size/32, sizeStep)
		g.inodes += g.inodes / 32
	}
	if errors.Is(err, errNoRoom) {
		err = noRoom(err, o, g)
	}
	return err
}

// noRoom adds to errNoRoom the size that is too small, and a hint.
func noRoom(err error, o Options, g geometry) error {
	err = status.Errorf(status.Create, "%d bytes: %w", g.size, err)
	if o.Size > 0 {
		return status.Hint(err, "use --size min, or --size with a larger size")
	}
	return status.Hint(err, "use --size with a larger size")
}

// populate makes the filesystem with mkfs.ext4 -d. It returns errNoRoom if less
// space than requested is free.
func (mk *Mkfs) populate(ctx context.Context, path string, o Options, g geometry) error {
	if err := blank(path, g.size); err != nil {
		return err
	}
	if err := mk.format(ctx, path, o, g.inodes, o.Root); err != nil {
		return err
	}
	m, err := open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.FreeBlocks() < g.free || m.FreeInodes() < g.freeInodes {
		return errNoRoom
	}
	if err := m.applyMeta(ctx, o); err != nil {
		return err
	}
	return m.Close()
}

// blank makes the file a single hole.
func blank(path string, size int64) error {
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	return os.Truncate(path, size)
}
