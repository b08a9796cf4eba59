// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/status"
)

// The files of a kernel in the store, and of an image that has one.
const (
	vmlinuxFile = "vmlinux"
	initrdFile  = "initrd.img"
	modulesDir  = "modules"
)

// A Kernel is what an image is booted with. Paths are of the host, "" for
// what there is none of.
type Kernel struct {
	Ref, Release string
	Vmlinux      string
	Initrd       string
	Modules      string
}

// Kernel returns a kernel of the store.
func (s *Store) Kernel(name string) (*Kernel, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.kernels(), name)
	k := &Kernel{Ref: name, Vmlinux: filepath.Join(dir, vmlinuxFile)}
	if !exists(k.Vmlinux) {
		return nil, status.Hint(status.Errorf(status.NoInput, "kernel %s: not in %s", name, s.kernels()),
			"put its vmlinux into %s, or give --kernel FILE", dir)
	}
	if path := filepath.Join(dir, initrdFile); exists(path) {
		k.Initrd = path
	}
	if path := filepath.Join(dir, modulesDir); exists(path) {
		k.Modules = path
	}
	var record struct {
		Release string `json:"release"`
	}
	err := bundle.ReadJSON(filepath.Join(dir, "kernel.json"), &record)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	k.Release = record.Release
	return k, err
}

// stageInto copies the kernel into a directory and returns its record there.
func (k *Kernel) stageInto(ctx context.Context, dir string) (*bundle.Kernel, error) {
	r := &bundle.Kernel{Ref: k.Ref, Release: k.Release, Vmlinux: vmlinuxFile}
	if err := copyFile(ctx, filepath.Join(dir, vmlinuxFile), k.Vmlinux); err != nil {
		return nil, err
	}
	if k.Initrd != "" {
		r.Initrd = initrdFile
		if err := copyFile(ctx, filepath.Join(dir, initrdFile), k.Initrd); err != nil {
			return nil, err
		}
	}
	if k.Modules != "" {
		r.Modules = modulesDir
		return r, copyTree(filepath.Join(dir, modulesDir), k.Modules)
	}
	return r, nil
}

// copyTree copies a directory of kernel modules, symlinks as they are.
func copyTree(dst, src string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return status.Errorf(status.NoInput, "%s: not a directory", src)
	}
	if err := os.CopyFS(dst, os.DirFS(src)); err != nil {
		return err
	}
	return syncFilesystem(dst)
}
