// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Draft is an image that a script makes of another one, its parent: a copy of the
// parent's root filesystem in a staging directory of the store. While it exists the
// parent does not change.
type Draft struct {
	Parent *Image
	Rootfs string // the copy

	name  string
	size  int64
	store *Store
	held  *os.File // the parent's directory
	stage *stage.Stage
	docs  bundle.Documents
}

// Draft begins an image of a parent, which must have a kernel. size is that of its
// disk in bytes, 0 for the parent's.
func (s *Store) Draft(name, parent string, size int64, replace bool, script bundle.Script) (d *Draft, err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	d = &Draft{name: name, size: size, store: s}
	if err := d.hold(parent); err != nil {
		return nil, err
	}
	if err = d.begin(replace, script); err != nil {
		d.Discard()
		return nil, err
	}
	return d, nil
}

// hold takes hold of the parent, and reads the record of the directory that is held.
func (d *Draft) hold(parent string) error {
	i, err := d.store.Image(parent)
	if err != nil {
		return err
	}
	d.held, err = stage.Hold(i.Dir)
	if absent(err) { // removed meanwhile
		return noImage(parent)
	}
	if err != nil {
		return err
	}
	if i, err = d.store.Image(parent); err != nil {
		d.held.Close()
		return err
	}
	d.Parent = i
	return nil
}

// begin makes the staging directory, with what it has of the parent's documents.
func (d *Draft) begin(replace bool, script bundle.Script) error {
	i := d.Parent
	switch {
	case i.Kernel == nil:
		return status.Hint(status.Errorf(status.Bad, "%s: no kernel", i.Name), "%s", i.KernelCommand())
	case !exists(filepath.Join(i.Dir, i.Kernel.Vmlinux)):
		return status.Hint(status.Errorf(status.NoInput, "%s: its kernel, %s, is missing", i.Name, i.Kernel.Vmlinux), "%s", i.KernelCommand())
	case d.size != 0 && d.size < i.Ext4.Size:
		return status.Errorf(status.Usage, "--size %d: smaller than %s, which has %d bytes", d.size, i.Name, i.Ext4.Size)
	}
	if d.size > i.Ext4.Size {
		if err := d.canGrow(); err != nil {
			return err
		}
	}
	dst := filepath.Join(d.store.images(), d.name)
	if err := makeParent(dst); err != nil {
		return err
	}
	var o stage.Options
	if replace {
		o.Replaces = isImage
	}
	var err error
	if d.stage, err = stage.NewDir(dst, o); err != nil {
		return err
	}
	d.Rootfs = filepath.Join(d.stage.Path, bundle.Ext4File)
	d.docs.Record = &bundle.Record{
		Version: 1, Platform: i.Platform, Script: &script,
		Parent: &bundle.Parent{
			Name: i.Name, SHA256: i.Ext4.SHA256, Reference: i.Reference, Digest: i.Digest, Parent: i.Record.Parent, Script: i.Script,
		},
	}
	err = copyDocument(filepath.Join(d.stage.Path, bundle.ConfigFile), filepath.Join(i.Dir, bundle.ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// canGrow refuses a size that the parent's filesystem would not grow to.
func (d *Draft) canGrow() error {
	m, err := ext4.Open(filepath.Join(d.Parent.Dir, bundle.Ext4File))
	if err != nil {
		return err
	}
	defer m.Close()
	if largest := m.LargestSize(); d.size > largest {
		return status.Hint(status.Errorf(status.Usage, "--size %d: %s cannot grow that far", d.size, d.Parent.Name), "the most is --size %d", largest)
	}
	if m.GrownSize(d.size) > m.Size() {
		return nil
	}
	next := d.size >> 20
	for m.GrownSize(next<<20) <= m.Size() {
		next++
	}
	return status.Hint(status.Errorf(status.Usage, "--size %d: too little for %s to grow, which has %d bytes", d.size, d.Parent.Name, m.Size()),
		"the next that works is --size %dM", next)
}

// Copy makes the copy of the parent's root filesystem, anew if there is one, in a
// file of the draft's size. It is an error if the parent is no longer the image that is
// held: what was copied may be another's.
func (d *Draft) Copy(ctx context.Context) error {
	if err := os.Remove(d.Rootfs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := copyFile(ctx, d.Rootfs, filepath.Join(d.Parent.Dir, bundle.Ext4File))
	if ctx.Err() == nil && !stage.IsNamed(d.held, d.Parent.Dir) {
		return status.Hint(status.Errorf(status.Temporary, "%s: replaced during the build", d.Parent.Name), "try again")
	}
	if err == nil && d.size != 0 {
		err = os.Truncate(d.Rootfs, d.size)
	}
	return err
}

// Publish publishes the image with its parent's kernel. init returns banger-init.
// It is an error if the filesystem is damaged, or smaller than it was to be. The
// filesystem gets a UUID of its own: by that, the disks of images are told apart.
func (d *Draft) Publish(ctx context.Context, now time.Time, init func(arch string) ([]byte, error)) (*Image, error) {
	if err := d.grown(); err != nil {
		return nil, err
	}
	if err := ext4.NewUUID(ctx, d.Rootfs); err != nil {
		return nil, err
	}
	kernel, err := d.Parent.kernelFiles(d.held)
	if err != nil {
		return nil, err
	}
	defer kernel.Close()
	return d.store.commit(ctx, d.stage, d.docs, Publication{Name: d.name, Kernel: kernel, Now: now, Init: init})
}

// grown returns an error if the guest has not grown the filesystem.
func (d *Draft) grown() error {
	m, err := ext4.Open(d.Rootfs)
	if err != nil {
		return err
	}
	defer m.Close()
	if d.size > d.Parent.Ext4.Size && m.Size() == d.Parent.Ext4.Size {
		return status.Errorf(status.Bad, "the guest has not grown the filesystem: it has %d bytes", m.Size())
	}
	return nil
}

// Discard removes the draft, unless it was published. It is called once.
func (d *Draft) Discard() {
	if d.stage != nil {
		d.stage.Discard()
	}
	d.held.Close()
	stage.Sweep(d.store.images()) // a parent that was replaced stayed while it was held
}

// kernelFiles returns the parts of the image's kernel. held is its directory.
func (i *Image) kernelFiles(held *os.File) (*KernelFiles, error) {
	root, err := os.OpenRoot(opened(held))
	if err != nil {
		return nil, err
	}
	b := &KernelFiles{ref: i.Kernel.Ref, files: root.FS(), held: held, close: root.Close}
	if b.parts, err = partsIn(b.files); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}
