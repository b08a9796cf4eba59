// SPDX-License-Identifier: Apache-2.0

// Package lint tells whether a published image will boot on its kernel. It
// reads the image's directory and nothing else.
package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/initrd"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/store"
)

// A Level is how bad a finding is.
type Level string

// The levels: an image with an error does not boot.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

// A Finding is something that keeps an image from booting, or may.
type Finding struct {
	Level  Level  `json:"level"`
	Check  string `json:"check"` // which one: kernel, arch, init, root, modules, guest
	Text   string `json:"text"`
	Remedy string `json:"remedy"` // what to do about it
}

// Bootable reports whether there is no error among findings.
func Bootable(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Error {
			return false
		}
	}
	return true
}

// Check looks at a published image. Its findings come in the order in which a
// boot would run into them; with an error they are those so far.
func Check(ctx context.Context, i *store.Image) ([]Finding, error) {
	root, err := ext4.Open(filepath.Join(i.Dir, bundle.Ext4File))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &checker{Image: i, root: root}
	if err := c.openKernel(ctx); err != nil {
		return nil, err
	}
	for _, check := range []func() error{c.checkKernel, c.checkRamdisk, c.checkRoot, c.checkGuest, c.checkModules, c.checkInit, c.checkMounts} {
		if err := check(); err != nil {
			return c.findings, err
		}
	}
	return c.findings, nil
}

// A checker is an image being looked at.
type checker struct {
	*store.Image
	root     *ext4.Image
	findings []Finding

	// of the kernel, unless there is none that could be read
	format  kernel.Format
	arch    string // "" for no kernel
	pvh     bool
	config  kernel.Config   // nil if it is not known
	modules *kernel.Modules // those beside the image, nil if there are none
	initrd  map[string]bool // modules in the initial ramdisk, nil if there is none
}

func (c *checker) find(level Level, check, remedy, format string, args ...any) {
	c.findings = append(c.findings, Finding{level, check, fmt.Sprintf(format, args...), remedy})
}

// withKernel is what gives the image another kernel.
func (c *checker) withKernel() string {
	return fmt.Sprintf("banger register -f --name %s --kernel-ref KERNEL %s", c.Name, filepath.Join(c.Dir, bundle.Ext4File))
}

// openKernel reads what the other checks want to know of the kernel.
func (c *checker) openKernel(ctx context.Context) error {
	if c.Kernel == nil {
		return nil
	}
	f, err := input.Open(filepath.Join(c.Dir, c.Kernel.Vmlinux))
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if errors.Is(err, kernel.ErrNotKernel) {
		return nil
	}
	if err != nil {
		return err
	}
	c.format, c.arch = k.Format, k.Arch
	if c.pvh, err = k.HasPVH(); err != nil {
		c.find(Error, "kernel", c.withKernel(), "%s is damaged: %v", c.Kernel.Vmlinux, err)
		c.pvh = true // of which nothing more is to be said
	}
	if c.config, c.modules, err = c.Configuration(); err != nil {
		return err
	}
	return c.openInitrd()
}

// openInitrd lists the modules in the initial ramdisk.
func (c *checker) openInitrd() error {
	if c.Kernel.Initrd == "" {
		return nil
	}
	f, err := input.Open(filepath.Join(c.Dir, c.Kernel.Initrd))
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := initrd.Names(f)
	if err != nil {
		c.find(Error, "kernel", c.withKernel(), "%s cannot be read: %v", c.Kernel.Initrd, err)
		return nil
	}
	c.initrd = map[string]bool{}
	for _, name := range names {
		if module, is := initrd.ModuleName(name); is {
			c.initrd[module] = true
		}
	}
	return nil
}

// checkKernel is about the kernel's file.
func (c *checker) checkKernel() error {
	switch {
	case c.Kernel == nil:
		c.find(Error, "kernel", c.withKernel(), "no kernel")
	case c.arch == "":
		c.find(Error, "kernel", c.withKernel(), "%s is not a Linux kernel for amd64 or arm64", c.Kernel.Vmlinux)
	case c.format == kernel.BzImage:
		c.find(Warning, "kernel", "banger kernel add KERNEL FILE unpacks it; then "+c.withKernel(),
			"%s is a bzImage: QEMU boots it, Firecracker does not", c.Kernel.Vmlinux)
	case c.format == kernel.ELF && !c.pvh && c.Kernel.BzImage == "":
		c.find(Warning, "kernel", "a kernel with CONFIG_PVH, or with its bzImage",
			"%s has no PVH entry: Firecracker boots it, QEMU does not", c.Kernel.Vmlinux)
	}
	return nil
}

// exists tells whether a path is in the image.
func (c *checker) exists(path string) (bool, error) {
	_, err := c.root.Open(path)
	if missing(err) {
		return false, nil
	}
	return err == nil, err
}

// missing tells what is not there, or only as symlinks that lead nowhere, from
// what cannot be read.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ext4.ErrLoop)
}
