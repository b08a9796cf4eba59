// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/bundle"
	"banger/lib/kernel"
	"banger/lib/stage"
)

// KernelFiles holds the parts of a kernel that go into an image.
type KernelFiles struct {
	Kernel *Kernel // nil if it is not a kernel of the store

	ref   string   // the name of the kernel that they were copied from, if Kernel is nil
	files fs.FS    // the parts, by their names
	parts []string // those that exist
	held  *os.File // the kernel's directory
	close func() error
}

// Files returns the KernelFiles of files anywhere on the host; modules and initrd
// may be "". modules is a directory, or a modules.ext4.
func Files(vmlinux, initrd, modules string) *KernelFiles {
	parts := given{vmlinuxPart: vmlinux}
	if initrd != "" {
		parts[initrdPart] = initrd
	}
	if info, err := os.Stat(modules); err == nil && info.Mode().IsRegular() {
		parts[modulesPart] = modules
	} else if modules != "" {
		parts[modulesDir] = modules
	}
	// A part that was given and does not exist is an error later.
	return &KernelFiles{files: parts, parts: slices.Collect(maps.Keys(parts)), close: func() error { return nil }}
}

// given is a tree that maps the first element of a name to a path of the host.
type given map[string]string

// Open opens a file or a directory of the host. It does not block on a FIFO.
func (g given) Open(name string) (fs.File, error) {
	path, err := g.path(name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// Stat does not open the file, which would block on a FIFO.
func (g given) Stat(name string) (fs.FileInfo, error) {
	path, err := g.path(name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

func (g given) path(name string) (string, error) {
	part, rest, _ := strings.Cut(name, "/")
	host, ok := g[part]
	if !ok {
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return filepath.Join(host, rest), nil
}

// OpenKernel opens the parts of a kernel. Until they are closed, they and their record
// do not change, even if the kernel is removed or replaced.
func (s *Store) OpenKernel(name string) (*KernelFiles, error) {
	k, err := s.Kernel(name)
	if err != nil {
		return nil, err
	}
	held, err := stage.Hold(k.Dir)
	if absent(err) { // removed meanwhile
		return nil, noKernel(name)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(opened(held))
	if err != nil {
		held.Close()
		return nil, err
	}
	b := &KernelFiles{Kernel: k, files: root.FS(), held: held, close: func() error { return errors.Join(root.Close(), held.Close()) }}
	if err := b.read(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// read reads the record of the directory that is held: the kernel may have been
// replaced since its record was read.
func (b *KernelFiles) read() (err error) {
	if b.Kernel.KernelRecord, err = readKernel(opened(b.held)); err == nil {
		b.parts, err = partsIn(b.files)
	}
	return err
}

// partsIn lists the parts that a kernel of the store has. A symlink counts,
// whatever its target.
func partsIn(files fs.FS) (found []string, err error) {
	for _, part := range append(allParts[:len(allParts):len(allParts)], modulesDir) {
		_, err := fs.Lstat(files, part)
		switch {
		case err == nil, part == vmlinuxPart: // required: opening it reports that it is missing
			found = append(found, part)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return found, nil
}

// Close closes the parts. A nil KernelFiles may be closed.
func (b *KernelFiles) Close() error {
	if b == nil {
		return nil
	}
	return b.close()
}

// stageInto puts the parts into an image's directory and returns their record.
// Those of a kernel of the store are hard links where they can be, else copies.
func (b *KernelFiles) stageInto(ctx context.Context, dir string) (*bundle.Kernel, error) {
	r, c := &bundle.Kernel{Ref: b.ref}, newCopier(b.files)
	c.links = b.held != nil
	if b.Kernel != nil {
		r.Ref = b.Kernel.Name
	}
	names := map[string]*string{
		vmlinuxPart: &r.Vmlinux, configPart: &r.Config, initrdPart: &r.Initrd, modulesPart: &r.Modules,
	}
	if err := c.stageModules(ctx, dir, b.parts); err != nil {
		return nil, err
	}
	for _, part := range b.parts {
		name, ok := names[part]
		if !ok {
			continue // bzImage: see identify
		}
		if *name = part; part == modulesPart {
			continue
		}
		if err := c.part(ctx, filepath.Join(dir, part), part); err != nil {
			return nil, err
		}
	}
	if slices.Contains(b.parts, modulesDir) {
		r.Modules = modulesPart
	}
	if err := b.identify(ctx, c, dir, r); err != nil {
		return nil, err
	}
	return r, syncFilesystem(dir)
}

// stageModules puts modules.ext4 into an image's directory, if the kernel has
// modules: its own, or one made of a directory.
func (c *copier) stageModules(ctx context.Context, dir string, parts []string) error {
	switch {
	case slices.Contains(parts, modulesPart):
		_, disk, err := mountModules(ctx, c.files) // refuses one that cannot be read
		if err != nil {
			return err
		}
		defer disk.Close()
		return c.part(ctx, filepath.Join(dir, modulesPart), modulesPart)
	case slices.Contains(parts, modulesDir):
		from, err := c.modulesFrom(ctx)
		if err != nil {
			return err
		}
		return c.modulesDisk(ctx, dir, from)
	}
	return nil
}

// identify reads the release of the kernel, and copies the bzImage if QEMU cannot
// boot vmlinux.
func (b *KernelFiles) identify(ctx context.Context, c *copier, dir string, r *bundle.Kernel) error {
	f, err := os.Open(filepath.Join(dir, vmlinuxPart))
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if errors.Is(err, kernel.ErrNotKernel) {
		return nil // lint reports it
	}
	if err != nil {
		return err
	}
	if r.Release, err = k.Release(ctx); err != nil {
		return err
	}
	pvh, err := k.HasPVH()
	if err == nil && k.Format == kernel.ELF && !pvh && slices.Contains(b.parts, bzImagePart) {
		if err := c.part(ctx, filepath.Join(dir, bzImagePart), bzImagePart); err != nil {
			return err
		}
		r.BzImage = bzImagePart
	}
	if r.Config == "" {
		return keepConfig(ctx, k, dir, &r.Config)
	}
	return nil
}

// keepConfig writes the configuration embedded in a kernel, if there is one, and
// sets name.
func keepConfig(ctx context.Context, k *kernel.File, dir string, name *string) error {
	config, err := k.Config(ctx)
	if err != nil || config == nil {
		return err
	}
	*name = configPart
	return os.WriteFile(filepath.Join(dir, configPart), config, 0o666)
}
