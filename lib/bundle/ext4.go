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

// Ext4Options say what ext4 file is made of a source.
type Ext4Options struct {
	ext4.Options // its sizes and progress; the rest is the source's
	Mkfs         *ext4.Mkfs
	Replace      bool // an ext4 file that is there
	Beside       bool // put image.json and config.json beside the file

	// Check judges the file before it gets its name; an error means that it
	// gets none. It may be nil.
	Check func(ctx context.Context, path string) error
}

// making is what the record of the file says of the options.
func (o Ext4Options) making() Making {
	set := &Settings{Populate: o.Populate, Size: o.Size, Minimal: o.Minimal}
	if set.Populate == "" {
		set.Populate = ext4.PopulateDirect
	}
	if o.Free >= 0 {
		set.Free = &o.Free
	}
	return Making{Recipe: ext4.Recipe, Mkfs: o.Mkfs.Version, Options: set}
}

// WriteExt4 makes the ext4 file dst of a source, whole or not at all. Beside it
// lies its record, FILE.json.
func (s *Source) WriteExt4(ctx context.Context, dst string, o Ext4Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = ext4.Pristine
	}
	if within(filepath.Dir(dst), s.Root) {
		return status.Errorf(status.Usage, "%s: lies in the directory that it is made of", dst)
	}
	st, err := stage.NewFile(dst, so)
	if err != nil {
		return err
	}
	defer st.Discard()
	companions := companions{dst: dst, replace: o.Replace}
	if o.Beside && s.Record != nil && !within(filepath.Dir(dst), filepath.Dir(s.Root)) {
		companions.of = filepath.Dir(s.Root)
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

// within tells whether a directory is another one, or lies in it. One that is
// not there is in none.
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

// Created is when the image was made, in seconds since 1970; 0 if nobody says.
func (s *Source) Created() int64 {
	if s.Record == nil || s.Record.Created.IsZero() {
		return 0
	}
	return s.Record.Created.Unix()
}

// seed makes what UUID and hash seed are made of: the flags, the image and the
// manifest as it is now, or what would be a plain directory's.
func (s *Source) seed(o Ext4Options) (seed [32]byte, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "size=%d free=%d minimal=%v populate=%s\n", o.Size, o.Free, o.Minimal, o.making().Options.Populate)
	if s.Record != nil {
		fmt.Fprintf(h, "%s\n%x\n", s.Record.Digest, s.manifest)
	} else {
		err = mtree.Write(h, s.Tree)
	}
	h.Sum(seed[:0])
	return seed, err
}
