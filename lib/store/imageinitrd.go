// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"banger/lib/guest"
	"banger/lib/kernel"
)

// addInitrd writes the initrd.img of an image that is being published, and records
// it. It replaces one that banger made for the kernel. It writes none if
//
//   - the kernel came with one that banger did not make, or made for one machine,
//   - the kernel's configuration says that it supports none, or
//   - there is no banger-init for the architecture, or the architecture is unknown.
func (i *Image) addInitrd(ctx context.Context, init func(arch string) ([]byte, error)) error {
	path := filepath.Join(i.Dir, initrdPart)
	own, foreign, err := ReadInitrd(path)
	if foreign || err != nil || own.Personal() {
		return err
	}
	r := ramdisk{arch: i.Arch(), own: own.Modules, init: init}
	if i.Kernel != nil {
		known, err := i.ramdisk(ctx, init)
		if err == nil {
			defer known.modules.Close()
			r = known
		} else if !errors.Is(err, kernel.ErrNotKernel) {
			return err
		}
	}
	if kernel.Ramdisk.In(r.config, r.modules) == kernel.Absent || !slices.Contains(guest.Archs, r.arch) {
		return nil
	}
	return i.replaceInitrd(path, r)
}

func (i *Image) replaceInitrd(path string, r ramdisk) error {
	c, err := i.contents()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if err := errors.Join(r.write(f, c), f.Close()); err != nil {
		return err
	}
	if i.Kernel == nil {
		i.Initrd = initrdPart
	} else {
		i.Kernel.Initrd = initrdPart
	}
	return nil
}

// InitrdPath returns the path of the image's initrd.img, "" if it has none.
func (i *Image) InitrdPath() string {
	name := i.Initrd
	if i.Kernel != nil {
		name = i.Kernel.Initrd
	}
	if name == "" {
		return ""
	}
	return filepath.Join(i.Dir, name)
}
