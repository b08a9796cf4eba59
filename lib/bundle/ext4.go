// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"banger/lib/ext4"
	"banger/lib/mtree"
	"banger/lib/stage"
	"banger/lib/status"
)

// Ext4Options control how an ext4 file is made.
type Ext4Options struct {
	ext4.Options // sizes and progress; WriteExt4 sets the other fields
	Mkfs         *ext4.Mkfs
	Replace      bool // replace an existing ext4 file

	// CopyDocuments copies image.json and config.json to the directory of the
	// file, unless that is in the bundle.
	CopyDocuments bool

	// Check, if not nil, checks the file before it gets its name. On an error
	// the file is removed.
	Check func(ctx context.Context, path string) error
}

// buildInfo returns the options as the record of the file stores them.
func (o Ext4Options) buildInfo() BuildInfo {
	set := &Settings{Populate: o.Populate, Size: o.Size, Minimal: o.Minimal}
	if set.Populate == "" {
		set.Populate = ext4.PopulateDirect
	}
	if o.Free >= 0 {
		set.Free = &o.Free
	}
	return BuildInfo{Recipe: ext4.Recipe, Mkfs: o.Mkfs.Version, Options: set}
}

// WriteExt4 makes the ext4 file dst and its record, FILE.json. dst is complete or
// does not exist.
func (s *Source) WriteExt4(ctx context.Context, dst string, o Ext4Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = ext4.Pristine
	}
	if within(filepath.Dir(dst), s.Root) {
		return status.Errorf(status.Usage, "%s: inside the source directory", dst)
	}
	st, err := stage.NewFile(dst, so)
	if err != nil {
		return err
	}
	defer st.Discard()
	companions := companions{dst: dst, replace: o.Replace}
	if o.CopyDocuments && s.Record != nil && !within(filepath.Dir(dst), filepath.Dir(s.Root)) {
		companions.bundle = filepath.Dir(s.Root)
	}
	if err := companions.check(); err != nil {
		return err
	}
	if err := s.create(ctx, st.Path, o); err != nil {
		return err
	}
	if o.Check != nil {
		if err := o.Check(ctx, st.Path); err != nil {
			return err
		}
	}
	if err := companions.write(st.Path, s, o); err != nil {
		return err
	}
	if err := st.Commit(); err != nil {
		companions.remove()
		return err
	}
	return nil
}

// within reports whether dir is root or inside it. If either does not exist, it
// returns false.
func within(dir, root string) bool {
	dir, err := realPath(dir)
	if err != nil {
		return false
	}
	if root, err = realPath(root); err != nil {
		return false
	}
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel)
}

// realPath returns the absolute path of a file, without symlinks.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// create fills the file at path.
func (s *Source) create(ctx context.Context, path string, o Ext4Options) error {
	o.Tree, o.Root, o.Created = s.Tree, s.Root, s.Created()
	var err error
	if o.Seed, err = s.seed(o); err != nil {
		return err
	}
	return o.Mkfs.Create(ctx, path, o.Options)
}

// Created returns the creation time of the image, in seconds since 1970; 0 if it
// has none.
func (s *Source) Created() int64 {
	if s.Record == nil || s.Record.Created.IsZero() {
		return 0
	}
	return s.Record.Created.Unix()
}

// seed returns the seed of the UUID and the hash seed. It depends on the flags,
// the image and the manifest; a plain directory gets a manifest for this.
func (s *Source) seed(o Ext4Options) (seed [32]byte, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "size=%d free=%d minimal=%v populate=%s\n", o.Size, o.Free, o.Minimal, o.buildInfo().Options.Populate)
	if s.Record != nil {
		fmt.Fprintf(h, "%s\n%x\n", s.Record.Digest, s.manifest)
	} else {
		err = mtree.Write(h, s.Tree)
	}
	h.Sum(seed[:0])
	return seed, err
}
