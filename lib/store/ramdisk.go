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
	own           []kernel.Module // of an initrd that banger made, for a kernel without modules beside it
	init          func(arch string) ([]byte, error)
}

// write writes an initial ramdisk of c, with banger-init and the modules that the
// kernel needs to mount its root filesystem.
func (r ramdisk) write(w io.Writer, c initrd.Contents) (err error) {
	if c.Modules = r.own; r.modules != nil {
		if c.Modules, err = r.modules.ForInitrd(); err != nil {
			return err
		}
	}
	if c.Init, err = r.init(r.arch); err != nil {
		return err
	}
	return initrd.Write(w, c)
}

// check refuses a kernel whose drivers are modules that are not there.
func (r ramdisk) check() error {
	if r.modules != nil || r.own != nil || !kernel.NeedsInitrd(r.config, nil) {
		return nil
	}
	return status.Hint(status.Errorf(status.Bad, "%s has its virtio disk drivers as modules, and there are no modules", r.release),
		"add the kernel from a source that has lib/modules/%s", r.release)
}

// ramdisk returns the input of an initial ramdisk for the image's kernel. Its
// modules have to be closed.
func (i *Image) ramdisk(ctx context.Context, init func(arch string) ([]byte, error)) (r ramdisk, err error) {
	f, err := input.Open(filepath.Join(i.KernelDir(), i.Kernel.Vmlinux))
	if err != nil {
		return r, err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if err != nil {
		return r, status.With(status.Bad, err)
	}
	r = ramdisk{arch: k.Arch, release: i.Kernel.Release, init: init}
	if r.config, r.modules, err = configuration(i.KernelDir()); err != nil {
		return r, err
	}
	own, _, err := ReadInitrd(filepath.Join(i.KernelDir(), initrdPart))
	r.own = own.Modules
	if err != nil {
		r.modules.Close()
	}
	return r, err
}

// ReadInitrd reads an initrd.img. foreign is set if banger did not make it. Of one
// that does not exist, own is empty.
func ReadInitrd(path string) (own initrd.Own, foreign bool, err error) {
	f, err := input.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return own, false, nil
	}
	if err != nil {
		return own, false, err
	}
	defer f.Close()
	own, ok := initrd.ReadOwn(f)
	return own, !ok, nil
}

// A Personal is what an initial ramdisk holds for one machine.
type Personal struct {
	// Command is run with the environment and the working directory of the image's
	// config. Without a command, banger-init runs what the image is for.
	Command     []string
	Credentials []guest.Credential
}

// WriteInitrd writes an initial ramdisk that boots the image with its kernel. init
// returns banger-init.
func (i *Image) WriteInitrd(ctx context.Context, w io.Writer, p Personal, init func(arch string) ([]byte, error)) error {
	if i.Kernel == nil {
		return status.Hint(status.Errorf(status.Bad, "%s: no kernel", i.Name),
			"%s", i.KernelCommand())
	}
	for _, word := range p.Command {
		if !utf8.ValidString(word) {
			return status.Errorf(status.Usage, "%q: not UTF-8", word)
		}
	}
	r, err := i.ramdisk(ctx, init)
	if err != nil {
		return err
	}
	defer r.modules.Close()
	if err := r.check(); err != nil {
		return err
	}
	c, err := i.contents()
	if err != nil {
		return err
	}
	c.Machine.Args, c.Credentials = p.Command, p.Credentials
	return r.write(w, c)
}

// contents returns the documents of the image's initial ramdisk.
func (i *Image) contents() (c initrd.Contents, err error) {
	c.Machine = &guest.Machine{Hostname: guest.Hostname(i.Name)}
	if i.Kernel != nil {
		if _, c.Machine.Modules, err = i.ModulesDisk(); err != nil {
			return c, err
		}
	}
	c.Config, err = bundle.ReadDocument(filepath.Join(i.Dir, bundle.ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return c, err
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
