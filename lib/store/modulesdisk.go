// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/kernel"
	"banger/lib/mtree"
	"banger/lib/status"
)

// modulesDisk makes modules.ext4 in a directory: an ext4 filesystem of the modules
// at from, with what modprobe(8) needs to find them. The same modules give the
// same bytes.
func (c *copier) modulesDisk(ctx context.Context, dir, from string) error {
	if err := c.checkDepth(from); err != nil {
		return err
	}
	files := filepath.Join(dir, modulesDir)
	if err := c.part(ctx, files, from); err != nil {
		return err
	}
	if err := writeIndexes(files); err != nil {
		return err
	}
	if err := makeDisk(ctx, filepath.Join(dir, modulesPart), files); err != nil {
		return fmt.Errorf("%s: %w", modulesPart, err)
	}
	return os.RemoveAll(files)
}

// writeIndexes adds the files by which modprobe(8) finds modules.
func writeIndexes(dir string) error {
	m, err := kernel.OpenModules(os.DirFS(dir))
	if err != nil {
		return err
	}
	indexes, err := m.Indexes()
	if err != nil {
		return err
	}
	for name, content := range indexes {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// makeDisk makes an ext4 file of a directory, as small as it can be.
func makeDisk(ctx context.Context, dst, dir string) error {
	mkfs, err := ext4.FindMkfs(ctx)
	if err != nil {
		return err
	}
	t, root, err := bundle.Directory(ctx, dir)
	if err != nil {
		return err
	}
	contents, err := sumTree(ctx, dir)
	if err != nil {
		return err
	}
	seed := sha256.New()
	fmt.Fprintf(seed, "%s %s\n", modulesPart, contents)
	if err := mtree.Write(seed, t); err != nil {
		return err
	}
	f, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return mkfs.Create(ctx, dst, ext4.Options{Tree: t, Root: root, Seed: [32]byte(seed.Sum(nil)), Free: -1, Minimal: true})
}

// A mounted is a tree of files that has the content of modules.ext4 as modules.
type mounted struct {
	fs.FS
	modules *ext4.FS
}

// mountModules returns files with the content of modules.ext4 as modules, if they
// have the one and not the other. disk is nil or to be closed.
func mountModules(ctx context.Context, files fs.FS) (all fs.FS, disk *ext4.FS, err error) {
	if _, err := fs.Stat(files, modulesDir); err == nil {
		return files, nil, nil
	}
	info, err := fs.Stat(files, modulesPart)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() { // opening a FIFO would block
		return nil, nil, status.Errorf(status.Bad, "%s: not a file", modulesPart)
	}
	opened, err := files.Open(modulesPart)
	if err != nil {
		return nil, nil, err
	}
	f, ok := opened.(*os.File)
	if !ok {
		opened.Close()
		return nil, nil, status.Errorf(status.Bad, "%s: not a file", modulesPart)
	}
	if disk, err = ext4.NewFS(ctx, f); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", modulesPart, err)
	}
	return mounted{files, disk}, disk, nil
}

// inside returns the name in modules.ext4 of what is below modules.
func (m mounted) inside(name string) (string, bool) {
	if name == modulesDir {
		return ".", true
	}
	return strings.CutPrefix(name, modulesDir+"/")
}

// Open implements fs.FS.
func (m mounted) Open(name string) (fs.File, error) {
	if name, ok := m.inside(name); ok {
		return m.modules.Open(name)
	}
	return m.FS.Open(name)
}

// Stat does not open the file, which would block on a FIFO.
func (m mounted) Stat(name string) (fs.FileInfo, error) {
	if name, ok := m.inside(name); ok {
		return fs.Stat(m.modules, name)
	}
	return fs.Stat(m.FS, name)
}

// Lstat implements fs.ReadLinkFS.
func (m mounted) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := m.inside(name); ok {
		return m.Stat(name)
	}
	return fs.Lstat(m.FS, name)
}

// ReadLink implements fs.ReadLinkFS.
func (m mounted) ReadLink(name string) (string, error) { return fs.ReadLink(m.FS, name) }

// ModulesCommand returns the shell command that makes modules.ext4 where the image's
// kernel has the directory of an older banger, "" if it has modules.ext4 or no
// modules.
func (i *Image) ModulesCommand() string {
	switch {
	case exists(filepath.Join(i.KernelDir(), modulesPart)) || !exists(filepath.Join(i.KernelDir(), modulesDir)):
		return ""
	case i.kernelDir != "":
		return fmt.Sprintf(`banger kernel add -f %s "$(banger kernel path %[1]s)"`, i.Kernel.Ref)
	}
	s := Open(filepath.Dir(filepath.Dir(i.Dir)))
	if k, err := s.Kernel(i.Kernel.Ref); err == nil && k.Release == i.Kernel.Release {
		return i.RegisterCommand(k.Name)
	}
	return i.KernelCommand()
}

// ModulesDisk returns the path and the UUID of the filesystem with the modules of
// the image's kernel, "" if there is none: images and kernels of an older banger
// have the directory modules.
func (i *Image) ModulesDisk() (path, uuid string, err error) {
	path = filepath.Join(i.KernelDir(), modulesPart)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	uuid, err = ext4.ReadUUID(f)
	if err != nil {
		return "", "", status.Errorf(status.Bad, "%s: %w", path, err)
	}
	return path, uuid, nil
}
