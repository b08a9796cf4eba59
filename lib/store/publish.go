// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Publication describes an image to publish.
type Publication struct {
	Rootfs  string       // the ext4 file, with or without image.json and config.json beside it
	Name    string       // "" to derive it from the reference
	Kernel  *KernelFiles // nil for none
	Replace bool         // an existing image of that name
	Now     time.Time
	// Init returns banger-init for an architecture, for the image's initrd.
	Init func(arch string) ([]byte, error)
}

// Publish makes an image of an ext4 file, a kernel and a record under a temporary
// name, and renames it once it is on disk.
//
// A file in a staging directory of the store is not copied: the directory becomes
// the image.
func (s *Store) Publish(ctx context.Context, p Publication) (*Image, error) {
	if info, err := os.Stat(p.Rootfs); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, status.Errorf(status.NoInput, "%s: is a directory, not an ext4 file", p.Rootfs)
	}
	docs, err := bundle.ReadDocuments(p.Rootfs)
	if err != nil {
		return nil, err
	}
	if p.Name == "" {
		p.Name = bundle.Name(docs.Reference)
	}
	if p.Name == "" {
		return nil, status.Hint(status.Errorf(status.Usage, "%s: no image.json beside it to take a name from", p.Rootfs),
			"--name NAME")
	}
	if err := CheckName(p.Name); err != nil {
		return nil, err
	}
	st, err := s.stage(ctx, p, docs.Config)
	if err != nil {
		return nil, err
	}
	defer st.Discard()
	return s.commit(ctx, st, docs, p)
}

// commit completes the image in a staging directory, and gives it its name.
func (s *Store) commit(ctx context.Context, st *stage.Stage, docs bundle.Documents, p Publication) (*Image, error) {
	if err := p.complete(ctx, st.Path, docs); err != nil {
		return nil, err
	}
	if err := st.CommitSync(); err != nil {
		return nil, err
	}
	// Not read back: the name may belong to another image by now.
	return &Image{Name: p.Name, Dir: filepath.Join(s.images(), p.Name), Record: docs.Record}, nil
}

// stage returns a staging directory that holds the root filesystem.
func (s *Store) stage(ctx context.Context, p Publication, config string) (*stage.Stage, error) {
	dst := filepath.Join(s.images(), p.Name)
	if err := makeParent(dst); err != nil {
		return nil, err
	}
	var o stage.Options
	if p.Replace {
		o.Replaces = isImage
	}
	if dir := filepath.Dir(p.Rootfs); s.isStaging(dir) && filepath.Base(p.Rootfs) == bundle.Ext4File {
		return stage.Adopt(dir, dst, o)
	}
	st, err := stage.NewDir(dst, o)
	if err != nil {
		return nil, err
	}
	err = copyFile(ctx, filepath.Join(st.Path, bundle.Ext4File), p.Rootfs)
	if err == nil && config != "" {
		err = copyDocument(filepath.Join(st.Path, bundle.ConfigFile), config)
	}
	if err != nil {
		st.Discard()
		return nil, err
	}
	return st, nil
}

func isImage(dir string) bool { return exists(filepath.Join(dir, bundle.RecordFile)) }

// isStaging reports whether dir is a staging directory among the images.
func (s *Store) isStaging(dir string) bool {
	a, err1 := os.Stat(filepath.Dir(dir))
	b, err2 := os.Stat(s.images())
	return err1 == nil && err2 == nil && os.SameFile(a, b) && stage.IsTemporary(filepath.Base(dir))
}

// complete adds the kernel and the record to the image, and syncs it.
func (p Publication) complete(ctx context.Context, dir string, d bundle.Documents) (err error) {
	r, before := d.Record, d.Record.Ext4
	rootfs := filepath.Join(dir, bundle.Ext4File)
	if r.Ext4, err = describe(ctx, rootfs, d.Made); err != nil {
		return err
	}
	if d.Made == nil && before != nil && before.UUID == r.Ext4.UUID { // published before
		r.Ext4.BuildInfo = before.BuildInfo
	}
	r.Kernel, r.Initrd = nil, "" // the kernel of a published image is not copied with its rootfs
	if p.Kernel != nil {
		if r.Kernel, err = p.Kernel.stageInto(ctx, dir); err != nil {
			return err
		}
	}
	if err := (&Image{Name: p.Name, Dir: dir, Record: r}).addInitrd(ctx, p.Init); err != nil {
		return err
	}
	if err := os.Chmod(rootfs, 0o444); err != nil { // a master: a VM boots a copy
		return err
	}
	r.Managed, r.Registered = true, p.Now.UTC()
	r.Layout = "" // a path of this host: the image may be moved to another
	for _, name := range []string{bundle.RecordFile, bundle.Ext4File + bundle.Ext4Record} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := bundle.WriteJSON(filepath.Join(dir, bundle.RecordFile), r); err != nil {
		return err
	}
	for _, name := range []string{bundle.Ext4File, bundle.ConfigFile, initrdPart, bundle.RecordFile, "."} {
		if err := stage.SyncPath(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return ctx.Err()
}

// describe returns the record of an ext4 file, read from the file; how it was made
// is copied from made, its FILE.json, which must have the same UUID. A damaged
// filesystem is an error.
func describe(ctx context.Context, rootfs string, made *bundle.Ext4) (*bundle.Ext4, error) {
	m, err := ext4.Open(rootfs)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	e := bundle.Describe(m)
	if made != nil {
		if made.UUID != e.UUID {
			return nil, status.Hint(status.Errorf(status.Bad, "%s%s: describes another file, as image.json may", rootfs, bundle.Ext4Record),
				"make them again with banger-mkext4 -f")
		}
		e.BuildInfo = made.BuildInfo
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		e.SHA256, err = sum(groupCtx, rootfs)
		return err
	})
	group.Go(func() error { return m.Sound(groupCtx) })
	return e, group.Wait()
}
