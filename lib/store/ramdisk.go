// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"
	"unicode/utf8"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/bundle"
	"banger/lib/guest"
	"banger/lib/initrd"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/stage"
	"banger/lib/status"
)

// A ramdisk is the input of an initial ramdisk.
type ramdisk struct {
	arch, release string
	config        kernel.Config
	modules       *kernel.Modules
	init          func(arch string) ([]byte, error)
}

// write writes an initial ramdisk with the modules the kernel needs to mount its
// root filesystem.
func (r ramdisk) write(w io.Writer, config []byte) (err error) {
	c := initrd.Contents{Config: config}
	if r.modules != nil {
		c.Modules, err = r.modules.ForInitrd()
	} else if kernel.NeedsInitrd(r.config, nil) {
		err = status.Hint(status.Errorf(status.Bad, "%s has its virtio disk drivers as modules, and there are no modules", r.release),
			"add the kernel from a source that has lib/modules/%s", r.release)
	}
	if err != nil {
		return err
	}
	if c.Init, err = r.init(r.arch); err != nil {
		return err
	}
	return initrd.Write(w, c)
}

// WriteInitrd writes an initial ramdisk that boots the image with its kernel. Its
// banger-init runs a command with the environment and the working directory of the
// image's config. Without a command, it runs what the image is for. init returns
// banger-init.
func (i *Image) WriteInitrd(ctx context.Context, w io.Writer, command []string, init func(arch string) ([]byte, error)) error {
	if i.Kernel == nil {
		return status.Hint(status.Errorf(status.Bad, "%s: no kernel", i.Name),
			"%s", i.KernelCommand())
	}
	f, err := input.Open(filepath.Join(i.KernelDir(), i.Kernel.Vmlinux))
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if err != nil {
		return status.With(status.Bad, err)
	}
	r := ramdisk{arch: k.Arch, release: i.Kernel.Release, init: init}
	if r.config, r.modules, err = configuration(i.KernelDir()); err != nil {
		return err
	}
	for _, word := range command {
		if !utf8.ValidString(word) {
			return status.Errorf(status.Usage, "%q: not UTF-8", word)
		}
	}
	config, err := bundle.ReadDocument(filepath.Join(i.Dir, bundle.ConfigFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	counted := &counter{Writer: w}
	if err := r.write(counted, config); err != nil || len(command) == 0 {
		return err
	}
	return initrd.WriteMachine(w, counted.n, guest.Machine{Args: command})
}

// A counter counts the bytes that are written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// Config returns the image's OCI config, empty if it has none.
func (i *Image) Config() (config v1.Image, err error) {
	err = bundle.ReadJSON(filepath.Join(i.Dir, bundle.ConfigFile), &config)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return config, err
}

// RemakeInitrd replaces the initial ramdisk of a kernel and returns its path. If
// the kernel needs none, it removes the initrd and returns "". It is an error if
// the kernel is removed or replaced meanwhile.
func (s *Store) RemakeInitrd(ctx context.Context, name string, init func(arch string) ([]byte, error), now time.Time) (string, error) {
	b, err := s.OpenKernel(name)
	if err != nil {
		return "", err
	}
	defer stage.Sweep(s.kernels()) // the old kernel cannot be removed while b holds it
	defer b.Close()
	k, err := s.AddKernel(ctx, Addition{
		Name: name, Files: without{b.files, initrdPart}, Source: b.Kernel.Source, Distro: b.Kernel.Distro,
		Replace: true, Now: now, Init: init, expected: b.held,
	})
	if err != nil || k.SHA256[initrdPart] == "" {
		return "", err
	}
	return filepath.Join(k.Dir, initrdPart), nil
}

// without is a tree of files without one of them.
type without struct {
	fs.FS
	name string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return w.FS.Open(name)
}

// Stat does not open the file.
func (w without) Stat(name string) (fs.FileInfo, error) {
	if name == w.name {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(w.FS, name)
}
