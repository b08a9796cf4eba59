// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"os"

	"banger/lib/status"
	"banger/lib/tree"
)

// Recipe is the number of the rules by which bytes are made of a tree. It is
// raised whenever the same tree and options would make other bytes.
const Recipe = 1

// Populate says what fills a filesystem that mkfs.ext4 has made.
type Populate string

const (
	PopulateDirect Populate = "direct" // this package
	PopulateMkfs   Populate = "mkfs"   // mkfs.ext4 itself, by its option -d
)

// Options say what a filesystem is made of.
type Options struct {
	Tree    *tree.Tree // what it shall hold, each file's Blocks and Runs counted
	Root    string     // the directory that has the names and contents of the tree, no symlink
	Created int64      // seconds since 1970: when the filesystem says it was made
	Seed    [32]byte   // what its UUID and hash seed are made of
	Size    int64      // of the file in bytes; 0 for as much as the promises need
	Free    int64      // bytes to be free; less than 0 for a quarter of the content
	Minimal bool       // leave nothing over

	// Populate is PopulateDirect if it is "". The Blocks and Runs of files may
	// then be estimates, no less than what is found when they are read.
	Populate Populate

	Progress func(written int64) // hears how many bytes are there; may be nil

	eaInode bool // there is an attribute that needs the feature
}

// Create fills the file at path, which exists and is empty. The same options
// and contents make the same bytes, whatever the version of mkfs.ext4; with
// PopulateMkfs, from the same version.
//
// Without a Size, a quarter of the content again is free, or Free, and a
// quarter of the used inodes; and the file is 1 GiB or more.
func (mk *Mkfs) Create(ctx context.Context, path string, o Options) error {
	if o.Populate != PopulateMkfs {
		return mk.createDirect(ctx, path, o)
	}
	if err := check(o.Tree, byMkfs); err != nil {
		return err
	}
	g, err := mk.size(ctx, path, o, measure(o.Tree))
	if err != nil {
		return err
	}
	// What extents and directories take is counted high, yet mkfs.ext4 may
	// lay them out worse.
	for range 8 {
		err = mk.populate(ctx, path, o, g)
		if !errors.Is(err, errNoRoom) || o.Size > 0 {
			break
		}
		g.size += roundUp(g.size/32, sizeStep)
		g.inodes += g.inodes / 32
	}
	if errors.Is(err, errNoRoom) {
		err = status.Errorf(status.Create, "%d bytes: %w", g.size, err)
	}
	return err
}

// populate makes the filesystem and sees that the promises are kept.
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

// blank makes the file one hole.
func blank(path string, size int64) error {
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	return os.Truncate(path, size)
}
