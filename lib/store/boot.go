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

// Boot are the parts of a kernel that go into an image.
type Boot struct {
	Kernel *Kernel // that they are of; nil if it is none of the store

	files fs.FS    // by the names of the parts
	parts []string // those that there are
	held  *os.File // the kernel's directory
	close func() error
}

// Files are a kernel's parts wherever they are on the host; modules and initrd
// may be "".
func Files(vmlinux, initrd, modules string) *Boot {
	parts := given{vmlinuxPart: vmlinux}
	if initrd != "" {
		parts[initrdPart] = initrd
	}
	if modules != "" {
		parts[modulesPart] = modules
	}
	// Each that was given has to be there.
	return &Boot{files: parts, parts: slices.Collect(maps.Keys(parts)), close: func() error { return nil }}
}

// given is a tree of files that lie anywhere on the host, by their first name.
type given map[string]string

// Open opens a file or a directory of the host. A FIFO is not waited for.
func (g given) Open(name string) (fs.File, error) {
	path, err := g.path(name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// Stat looks at a file without opening it, which of a fifo would not return.
func (g given) Stat(name string) (fs.FileInfo, error) {
	path, err := g.path(name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

func (g given) path(name string) (string, error) {
	part, rest, _ := strings.Cut(name, "/")
	host, is := g[part]
	if !is {
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return filepath.Join(host, rest), nil
}

// Boot opens the parts of a kernel. Until they are closed they, and the record
// of them, stay what they are, whoever removes or replaces the kernel.
func (s *Store) Boot(name string) (*Boot, error) {
	k, err := s.Kernel(name)
	if err != nil {
		return nil, err
	}
	held, err := stage.Hold(k.Dir)
	if absent(err) { // removed since
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
	b := &Boot{Kernel: k, files: root.FS(), held: held, close: func() error { return errors.Join(root.Close(), held.Close()) }}
	if err := b.read(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// read reads what kernel it is that is held: it may have come since its record
// was looked at.
func (b *Boot) read() (err error) {
	if b.Kernel.KernelRecord, err = readKernel(opened(b.held)); err == nil {
		b.parts, err = partsIn(b.files)
	}
	return err
}

// partsIn are the parts that a kernel of the store has. A symlink is one,
// wherever it leads.
func partsIn(files fs.FS) (found []string, err error) {
	for _, part := range allParts {
		_, err := fs.Lstat(files, part)
		switch {
		case err == nil, part == vmlinuxPart: // without which it is none
			found = append(found, part)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return found, nil
}

// Close lets go of the parts. The nil Boot has none.
func (b *Boot) Close() error {
	if b == nil {
		return nil
	}
	return b.close()
}

// stageInto copies the parts into an image's directory and returns its record
// of them.
func (b *Boot) stageInto(ctx context.Context, dir string) (*bundle.Kernel, error) {
	r, c := new(bundle.Kernel), newCopier(b.files)
	if b.Kernel != nil {
		r.Ref = b.Kernel.Name
	}
	names := map[string]*string{
		vmlinuxPart: &r.Vmlinux, configPart: &r.Config, initrdPart: &r.Initrd, modulesPart: &r.Modules,
	}
	for _, part := range b.parts {
		name, is := names[part]
		if !is {
			continue // only if it is needed
		}
		if err := c.part(ctx, filepath.Join(dir, part), part); err != nil {
			return nil, err
		}
		*name = part
	}
	if err := b.identify(ctx, c, dir, r); err != nil {
		return nil, err
	}
	return r, syncFilesystem(dir)
}

// identify reads the release off the kernel, and keeps what QEMU needs if it
// cannot enter it as it is.
func (b *Boot) identify(ctx context.Context, c *copier, dir string, r *bundle.Kernel) error {
	f, err := os.Open(filepath.Join(dir, vmlinuxPart))
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if errors.Is(err, kernel.ErrNotKernel) {
		return nil // lint says so
	}
	if err != nil {
		return err
	}
	if r.Release, err = k.Release(ctx); err != nil {
		return err
	}
	enters, err := k.HasPVH()
	if err == nil && k.Format == kernel.ELF && !enters && slices.Contains(b.parts, bzImagePart) {
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

// keepConfig writes down the configuration that a kernel brings in itself, if
// it does.
func keepConfig(ctx context.Context, k *kernel.File, dir string, name *string) error {
	config, err := k.Config(ctx)
	if err != nil || config == nil {
		return err
	}
	*name = configPart
	return os.WriteFile(filepath.Join(dir, configPart), config, 0o666)
}
