// SPDX-License-Identifier: Apache-2.0

// Package lint checks whether a published image will boot with its kernel, and says
// what it runs then. It reads the image's directory, and the store's kernels to
// suggest one.
package lint

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/initrd"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/store"
)

// A Level is the severity of a finding.
type Level string

// The levels. An image with an error does not boot. Runs is no problem: it says what
// the image runs.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Runs    Level = "runs"
)

// A Finding is something that keeps, or may keep, an image from booting or from
// running what it is for, or it says what the image runs.
type Finding struct {
	Level  Level  `json:"level"`
	Check  string `json:"check"` // kernel, arch, init, root, guest, modules or mounts
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"` // a command or an action; none for Runs
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

// Check checks a published image. The findings are in the order in which a boot
// would meet them. With an error, Check returns the findings so far.
func Check(ctx context.Context, i *store.Image) ([]Finding, error) {
	root, err := ext4.Open(filepath.Join(i.Dir, bundle.Ext4File))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &checker{Image: i, root: root}
	defer func() { c.modules.Close() }() // those that openKernel opens
	if err := c.openKernel(ctx); err != nil {
		return nil, err
	}
	for _, check := range []func() error{c.checkKernel, c.checkRamdisk, c.checkInitrd, c.checkRoot, c.checkGuest, c.checkModules, c.checkRun, c.checkMounts} {
		if err := check(); err != nil {
			return c.findings, err
		}
	}
	return c.findings, nil
}

// A checker checks one image.
type checker struct {
	*store.Image
	root     *ext4.Image
	findings []Finding

	// of the kernel, if there is a valid one
	format  kernel.Format
	arch    string // "" for no kernel
	pvh     bool
	config  kernel.Config   // nil if unknown
	modules *kernel.Modules // beside the image, nil if none
	initrd  map[string]bool // modules in the initrd, nil if there is no initrd
}

func (c *checker) report(level Level, check, remedy, format string, args ...any) {
	c.findings = append(c.findings, Finding{level, check, fmt.Sprintf(format, args...), remedy})
}

// remedy returns a command that boots the image. If an earlier error keeps the image
// from booting, it returns the remedy for that instead.
func (c *checker) remedy(command string) string {
	for _, f := range c.findings {
		if f.Level == Error && f.Check != "init" {
			return f.Remedy
		}
	}
	return command
}

// openKernel reads the kernel for the checks.
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
		c.report(Error, "kernel", c.KernelCommand(), "%s is damaged: %v", c.Kernel.Vmlinux, err)
		c.pvh = true // do not report a missing note too
	}
	if c.config, c.modules, err = c.Configuration(); err != nil {
		return err
	}
	return c.openInitrd()
}

// openInitrd lists the modules in the initrd.
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
		c.report(Error, "kernel", c.KernelCommand(), "%s cannot be read: %v", c.Kernel.Initrd, err)
		return nil
	}
	c.initrd = map[string]bool{}
	for _, name := range names {
		if module, ok := initrd.ModuleName(name); ok {
			c.initrd[module] = true
		}
	}
	return nil
}

// checkKernel checks the kernel file.
func (c *checker) checkKernel() error {
	switch {
	case c.Kernel == nil:
		c.report(Error, "kernel", c.KernelCommand(), "no kernel")
	case c.arch == "":
		c.report(Error, "kernel", c.KernelCommand(), "%s is not a Linux kernel for amd64 or arm64", c.Kernel.Vmlinux)
	case c.format == kernel.BzImage:
		c.report(Warning, "kernel", c.unpackKernel(),
			"%s is a bzImage: QEMU boots it, Firecracker does not", c.Kernel.Vmlinux)
	case c.format == kernel.ELF && !c.pvh && c.Kernel.BzImage == "":
		c.report(Warning, "kernel", c.KernelCommand(),
			"%s has no PVH entry: Firecracker boots it, QEMU does not", c.Kernel.Vmlinux)
	}
	return nil
}

// unpackKernel returns the command that unpacks the image's kernel.
func (c *checker) unpackKernel() string {
	name := c.Name + "-kernel"
	return fmt.Sprintf(`banger kernel add %s "$(banger image path %s)"/%s && %s`, name, c.Name, c.Kernel.Vmlinux, c.RegisterCommand(name))
}
