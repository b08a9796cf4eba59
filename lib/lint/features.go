// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"strings"

	"banger/lib/kernel"
)

// checkRamdisk checks that the kernel supports an initial ramdisk. One that does
// not mounts the root filesystem itself and starts the image's init; it does not
// run banger-init.
func (c *checker) checkRamdisk() error {
	if c.state(kernel.Ramdisk) != kernel.Absent {
		return nil
	}
	starts, err := c.kernelInit()
	if err != nil {
		return err
	}
	level, effect := Warning, "banger boot starts the image's init and ignores a command"
	switch {
	case c.Kernel.Initrd != "":
		level, effect = Error, c.Kernel.Initrd+" is ignored"
	case starts == "":
		level, effect = Error, "a command needs one, and there is neither an init nor a shell"
	}
	c.report(level, "kernel", c.KernelCommand(),
		"the kernel supports no initial ramdisk: %s", effect)
	return nil
}

// checkRoot checks for the drivers of the root filesystem.
func (c *checker) checkRoot() error {
	if c.arch == "" {
		return nil
	}
	if c.config == nil && c.state(kernel.Ext4) == kernel.Unknown {
		c.report(Warning, "root", c.KernelCommand(),
			"the kernel's configuration is unknown: it may lack ext4 or virtio")
		return nil
	}
	c.require(kernel.Ext4)
	c.require(kernel.VirtioBlk)
	mmio, pci := c.early(kernel.VirtioMMIO), c.early(kernel.VirtioPCI)
	switch {
	case mmio == kernel.Absent && pci == kernel.Absent:
		c.report(Error, "root", c.KernelCommand(),
			"the kernel has neither virtio_mmio nor virtio_pci: it finds no disk")
	case mmio == kernel.Absent:
		c.report(Warning, "root", c.KernelCommand(),
			"the kernel has no virtio_mmio: Firecracker and QEMU's microvm have no disk for it")
	case mmio == kernel.Loadable && pci != kernel.BuiltIn:
		c.unloaded(kernel.VirtioMMIO)
	}
	return nil
}

// state returns the state of a feature in the kernel.
func (c *checker) state(f kernel.Feature) kernel.State { return f.In(c.config, c.modules) }

// early returns the state of a feature before the root is mounted: a module in
// the initrd counts as built in.
func (c *checker) early(f kernel.Feature) kernel.State {
	s := c.state(f)
	if s != kernel.BuiltIn && c.initrd[f.Module] {
		return kernel.BuiltIn
	}
	return s
}

// require reports an error if a feature is missing before the root is mounted.
func (c *checker) require(f kernel.Feature) {
	switch c.early(f) {
	case kernel.Absent:
		c.report(Error, "root", c.KernelCommand(),
			"the kernel has no %s", f.Name)
	case kernel.Loadable:
		c.unloaded(f)
	}
}

// unloaded reports that the module of a feature is not in the initrd.
func (c *checker) unloaded(f kernel.Feature) {
	where := "there is no initrd to load it"
	if c.Kernel.Initrd != "" {
		where = "it is not in " + c.Kernel.Initrd
	}
	c.report(Error, "root", c.remakeInitrd(), "%s is a module, and %s", f.Name, where)
}

// remakeInitrd returns the command that gives the image's kernel an initrd.
func (c *checker) remakeInitrd() string {
	if c.Kernel.Ref == "" {
		return c.KernelCommand()
	}
	return fmt.Sprintf("banger kernel initrd %s && %s", c.Kernel.Ref, c.RegisterCommand(c.Kernel.Ref))
}

// checkGuest checks for the other features of a guest.
func (c *checker) checkGuest() error {
	if c.config == nil {
		return nil // reported by checkRoot
	}
	for _, f := range []struct {
		kernel.Feature
		level  Level
		effect string
	}{
		{kernel.Devtmpfs, Error, "banger-init, which banger boot uses for every image, fails"},
		{kernel.Console, Warning, "the serial console stays silent"},
		{kernel.Vsock, Warning, "no vsock connection from the host"},
	} {
		switch c.early(f.Feature) {
		case kernel.Absent:
			c.report(f.level, "guest", c.KernelCommand(),
				"the kernel has no %s: %s", f.Name, f.effect)
		case kernel.Loadable:
			if err := c.checkLoadable(f.Feature, f.effect); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLoadable checks a feature in a module that is not in the initrd: the guest
// can load it if it has the kernel's modules.
func (c *checker) checkLoadable(f kernel.Feature, effect string) error {
	ok, err := c.hasModules()
	if ok || err != nil {
		return err
	}
	c.report(Warning, "guest", c.KernelCommand(),
		"%s is a module, neither in an initrd nor in the image or beside it: %s", f.Name, effect)
	return nil
}

// checkModules checks for the modules of the kernel in the guest.
func (c *checker) checkModules() error {
	if c.arch == "" || c.config != nil && c.config["MODULES"] != "y" {
		return nil
	}
	release := c.Kernel.Release
	beside, err := c.modules.Release()
	if err == nil && beside != "" && beside != release {
		c.report(Warning, "modules", c.KernelCommand(), "%s is for %s, but the kernel is %s", c.Kernel.Modules, beside, release)
		return nil
	}
	if has, err := c.hasModules(); has || err != nil {
		return err
	}
	releases, err := c.names("/lib/modules")
	if err != nil {
		return err
	}
	if len(releases) == 0 {
		releases = []string{"none"}
	}
	c.report(Warning, "modules", c.KernelCommand(),
		"no modules for %s, neither in the image (%s) nor beside it: the guest can load none", release, strings.Join(releases, ", "))
	return nil
}

// hasModules reports whether there are modules of the kernel's release, beside
// the image or in it.
func (c *checker) hasModules() (bool, error) {
	beside, err := c.modules.Release()
	if err != nil || beside != "" && beside == c.Kernel.Release {
		return err == nil, err
	}
	releases, err := c.names("/lib/modules")
	return slices.Contains(releases, c.Kernel.Release), err
}
