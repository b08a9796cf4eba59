// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/lib/status"
)

// Parts are where in a tree of files the parts of one kernel are; "" for what
// is not there.
type Parts struct {
	Release string
	Arch    string
	Vmlinux string // the kernel, as a VMM loads it
	BzImage string // or as a boot loader does
	Config  string
	Initrd  string
	Modules string // the directory
}

// The places of a kernel: where distributions put it in their packages, where
// a build leaves it, where banger's own archives have it.
var places = []string{".", "boot", "lib/modules/*", "usr/lib/modules/*", "arch/x86/boot", "arch/arm64/boot"}

// Find finds the parts of the one kernel that a tree of files holds: a
// package's, an image's, a build's or one of banger's archives. Several
// kernels, or none, are an error.
func Find(files fs.FS) (*Parts, error) {
	found, err := images(files)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, status.Hint(status.Errorf(status.Bad, "no kernel in it"),
			"vmlinuz, bzImage or vmlinux is looked for at the top, in boot/ and lib/modules/*/")
	}
	p := &Parts{Release: found[0].release, Arch: found[0].arch}
	for _, i := range found {
		if i.release != p.Release || i.arch != p.Arch {
			return nil, severalKernels(found)
		}
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

// An image is a kernel's file in a tree.
type image struct {
	path, release, arch string
	format              Format
}

func severalKernels(found []image) error {
	var paths []string
	for _, i := range found {
		paths = append(paths, i.path+" ("+i.release+")")
	}
	return status.Hint(status.Errorf(status.Bad, "several kernels in it: %s", strings.Join(paths, ", ")),
		"give one of them, a file, or its own package")
}

// images opens all that is called as a kernel is, and is one. Symlinks lead to
// what is found under its own name.
func images(files fs.FS) (found []image, err error) {
	for _, place := range places {
		dirs, err := fs.Glob(files, place)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			in, err := imagesIn(files, dir)
			if err != nil {
				return nil, err
			}
			found = append(found, in...)
		}
	}
	return found, nil
}

func imagesIn(files fs.FS, dir string) (found []image, err error) {
	if throughLink(files, dir) {
		return nil, nil
	}
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !kernelName(e.Name()) {
			continue
		}
		i, err := openImage(files, path.Join(dir, e.Name()))
		if errors.Is(err, ErrNotKernel) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(dir, e.Name()), err)
		}
		found = append(found, i)
	}
	return found, nil
}

// throughLink reports whether a directory is reached through a symlink, as
// lib/modules is where lib is usr/lib: it has a place of its own.
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
		rest, is := strings.CutPrefix(base, prefix)
		return is && (rest == "" || strings.Contains("-._", rest[:1]))
	})
}

func openImage(files fs.FS, file string) (i image, err error) {
	f, err := files.Open(file)
	if err != nil {
		return i, err
	}
	defer f.Close()
	k, err := OpenFile(f)
	if err != nil {
		return i, err
	}
	i = image{path: file, format: k.Format, arch: k.Arch}
	i.release, err = k.Release()
	return i, err
}

// OpenFile opens a kernel's file, which must stay open as long as it is used.
func OpenFile(f fs.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, is := f.(io.ReaderAt)
	if !is || !info.Mode().IsRegular() {
		return nil, ErrNotKernel
	}
	return Open(r, info.Size())
}

// first returns the first of some paths that is there.
func first(files fs.FS, paths ...string) string {
	for _, p := range paths {
		if _, err := fs.Stat(files, p); err == nil {
			return p
		}
	}
	return ""
}

// checkModules refuses modules that are not the kernel's.
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
		err = status.Hint(status.Errorf(status.Bad, "%s: modules of %s, the kernel is %s", p.Modules, release, p.Release),
			"leave them out, or add the kernel they belong to")
	}
	return err
}
