// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/input"
	"banger/lib/kernel"
)

// WithKernel returns an image as if it had been published with a kernel of the
// store.
func (s *Store) WithKernel(i *Image, name string) (*Image, error) {
	k, err := s.Kernel(name)
	if err != nil {
		return nil, err
	}
	record := *i.Record
	record.Kernel, record.Initrd = &bundle.Kernel{Ref: name, Release: k.Release, Vmlinux: vmlinuxPart}, ""
	return &Image{Name: i.Name, Dir: i.Dir, Record: &record, kernelDir: k.Dir}, nil
}

// KernelDir returns the directory of the kernel's parts.
func (i *Image) KernelDir() string {
	if i.kernelDir != "" {
		return i.kernelDir
	}
	return i.Dir
}

// KernelForQEMU returns the path of the kernel's file that QEMU can start: an
// ELF file without an entry for it (Xen's PVH) needs the bzImage that it comes
// from.
func (i *Image) KernelForQEMU(ctx context.Context) (string, error) {
	vmlinux, bzImage := filepath.Join(i.KernelDir(), i.Kernel.Vmlinux), filepath.Join(i.KernelDir(), bzImagePart)
	if !exists(bzImage) {
		return vmlinux, nil
	}
	f, err := input.Open(vmlinux)
	if err != nil {
		return "", err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if err != nil {
		return "", err
	}
	if enters, err := k.HasPVH(); enters || err != nil {
		return vmlinux, err
	}
	return bzImage, nil
}
