// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/lib/status"
)

// Limits of a kernel with its modules.
const (
	MaxSize    = 16 << 30 // bytes
	MaxEntries = 1 << 18
)

// Parts are the paths of the parts of one kernel in a tree of files, "" for one
// that does not exist.
type Parts struct {
	Release string
	Arch    string
	Vmlinux string // the kernel for a VMM
	BzImage string // the kernel for a boot loader
	Config  string
	Initrd  string
	Modules string // the directory
}

// places are the directories of a kernel in packages of distributions, in builds
// and in banger's archives.
var places = []string{".", "boot", "lib/modules/*", "usr/lib/modules/*", "arch/x86/boot", "arch/arm64/boot"}

// Find finds the parts of the kernel in a tree of files: a package, an image, a
// build or one of banger's archives. It is an error if there is no kernel or more
// than one.
func Find(ctx context.Context, files fs.FS) (*Parts, error) {
	in := finder{ctx: ctx, files: files}
	if err := in.images(); err != nil {
		return nil, err
	}
	if len(in.found) == 0 {
		return nil, status.Hint(status.Errorf(status.Bad, "no kernel in it"),
			"give a tree with vmlinuz, bzImage or vmlinux at the top, in boot/ or in lib/modules/*/")
	}
	p := &Parts{Release: in.found[0].release, Arch: in.found[0].arch}
	for _, i := range in.found {
		if i.format == BzImage && p.BzImage == "" {
			p.BzImage = i.path
		} else if i.format != BzImage && p.Vmlinux == "" {
			p.Vmlinux = i.path
		}
	}
	p.Config = first(files, "vmlinux.config", "boot/config-"+p.Release, "lib/modules/"+p.Release+"/config",
		"usr/lib/modules/"+p.Release+"/config", "config-"+p.Release, "config", ".config")
	p.Initrd = first(files, "initrd.img")
	p.Modules = first(files, "usr/lib/modules/"+p.Release, "lib/modules/"+p.Release, "modules/"+p.Release, "modules")
	return p, p.checkModules(files)
}

// An image is a kernel file in a tree.
type image struct {
	path, release, arch string
	format              Format
}

// A finder searches a tree of files for the images of one kernel.
type finder struct {
	ctx   context.Context
	files fs.FS
	found []image
}

// images finds the files in places that are kernels by name and content. It skips
// symlinks: their targets are found under their own names.
func (f *finder) images() error {
	for _, place := range places {
		dirs, err := fs.Glob(f.files, place)
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if err := f.imagesIn(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) imagesIn(dir string) error {
	if throughLink(f.files, dir) {
		return nil
	}
	entries, err := fs.ReadDir(f.files, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !kernelName(e.Name()) {
			continue
		}
		i, err := openImage(f.ctx, f.files, path.Join(dir, e.Name()))
		if errors.Is(err, ErrNotKernel) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(dir, e.Name()), err)
		}
		if err := f.add(i); err != nil {
			return err
		}
	}
	return nil
}

// add refuses a second kernel at once, since reading the others may take long.
func (f *finder) add(i image) error {
	f.found = append(f.found, i)
	if first := f.found[0]; i.release != first.release || i.arch != first.arch {
		return status.Hint(status.Errorf(status.Bad, "several kernels in it: %s (%s), %s (%s)", first.path, first.release, i.path, i.release),
			"give the file or the package of one of them")
	}
	return nil
}

// throughLink reports whether a directory is reached through a symlink, as
// lib/modules is if lib is a symlink to usr/lib. Its real path is in places too.
func throughLink(files fs.FS, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := fs.Lstat(files, dir)
		if err != nil || !info.IsDir() {
			return true
		}
	}
	return false
}

func kernelName(base string) bool {
	return slices.ContainsFunc([]string{"vmlinuz", "vmlinux", "bzImage", "Image"}, func(prefix string) bool {
		rest, ok := strings.CutPrefix(base, prefix)
		return ok && (rest == "" || strings.Contains("-._", rest[:1]))
	})
}

func openImage(ctx context.Context, files fs.FS, file string) (i image, err error) {
	f, err := files.Open(file)
	if err != nil {
		return i, err
	}
	defer f.Close()
	k, err := OpenFile(ctx, f)
	if err != nil {
		return i, err
	}
	i = image{path: file, format: k.Format, arch: k.Arch}
	i.release, err = k.Release(ctx)
	return i, err
}

// OpenFile opens the kernel in f, which must stay open while the File is used.
func OpenFile(ctx context.Context, f fs.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, ok := f.(io.ReaderAt)
	if !ok || !info.Mode().IsRegular() {
		return nil, ErrNotKernel
	}
	return Open(ctx, r, info.Size())
}

// first returns the first path that exists, or "".
func first(files fs.FS, paths ...string) string {
	for _, p := range paths {
		if _, err := fs.Stat(files, p); err == nil {
			return p
		}
	}
	return ""
}

// checkModules refuses modules of another release.
func (p *Parts) checkModules(files fs.FS) error {
	if p.Modules == "" {
		return nil
	}
	dir, err := fs.Sub(files, p.Modules)
	if err != nil {
		return err
	}
	m, err := OpenModules(dir)
	if err != nil {
		return err
	}
	release, err := m.Release()
	if err == nil && release != "" && release != p.Release {
		err = status.Hint(status.Errorf(status.Bad, "%s: modules for %s, but the kernel is %s", p.Modules, release, p.Release),
			"leave them out, or add the kernel that they are for")
	}
	return err
}
