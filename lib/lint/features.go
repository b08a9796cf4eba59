// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"strings"

	"banger/lib/kernel"
)

// checkRamdisk is about the initial ramdisk. A kernel that knows of none mounts
// its root by itself, and starts the init there: that boots an image that has
// one, but banger-init and what else is in the ramdisk do not run.
func (c *checker) checkRamdisk() error {
	if c.state(kernel.Ramdisk) != kernel.Absent {
		return nil
	}
	starts, err := c.first(append(inits, "/bin/sh")...)
	if err != nil {
		return err
	}
	level, without := Warning, "banger boot starts its init, whatever command it is given"
	switch {
	case c.Kernel.Initrd != "":
		level, without = Error, c.Kernel.Initrd+" is not looked at"
	case starts == "":
		level, without = Error, "it takes one to run a command, and there is neither an init nor a shell"
	}
	c.find(level, "kernel", fmt.Sprintf("a kernel with CONFIG_%s; then %s", kernel.Ramdisk.Option, c.withKernel()),
		"the kernel knows no initial ramdisk: %s", without)
	return nil
}

// checkRoot is about what it takes to mount the root filesystem.
func (c *checker) checkRoot() error {
	if c.arch == "" {
		return nil
	}
	if c.config == nil && c.state(kernel.Ext4) == kernel.Unknown {
		c.find(Warning, "root", "banger kernel add KERNEL of a package that has the config- file too; then "+c.withKernel(),
			"how the kernel was configured is not known: it may lack ext4 or virtio")
		return nil
	}
	c.require(kernel.Ext4)
	c.require(kernel.VirtioBlk)
	mmio, pci := c.reach(kernel.VirtioMMIO), c.reach(kernel.VirtioPCI)
	switch {
	case mmio == kernel.Absent && pci == kernel.Absent:
		c.find(Error, "root", "a kernel with CONFIG_VIRTIO_MMIO; then "+c.withKernel(),
			"the kernel has neither virtio_mmio nor virtio_pci: it finds no disk")
	case mmio == kernel.Absent:
		c.find(Warning, "root", "a kernel with CONFIG_VIRTIO_MMIO; then "+c.withKernel(),
			"the kernel has no virtio_mmio: Firecracker and QEMU's microvm have no disk for it")
	case mmio == kernel.Loadable && pci != kernel.BuiltIn:
		c.unloaded(kernel.VirtioMMIO)
	}
	return nil
}

// state is where the kernel has a feature.
func (c *checker) state(f kernel.Feature) kernel.State { return f.In(c.config, c.modules) }

// reach is where the kernel has a feature before the root is mounted: what the
// initial ramdisk loads is as good as built in.
func (c *checker) reach(f kernel.Feature) kernel.State {
	s := c.state(f)
	if s != kernel.BuiltIn && c.initrd[f.Module] {
		return kernel.BuiltIn
	}
	return s
}

// require finds an error if a feature is not there when the root is mounted.
func (c *checker) require(f kernel.Feature) {
	switch c.reach(f) {
	case kernel.Absent:
		c.find(Error, "root", fmt.Sprintf("a kernel with CONFIG_%s; then %s", f.Option, c.withKernel()),
			"the kernel has no %s", f.Name)
	case kernel.Loadable:
		c.unloaded(f)
	}
}

// unloaded finds that a module is nowhere it could be loaded from in time.
func (c *checker) unloaded(f kernel.Feature) {
	where := "there is no initrd to load it"
	if c.Kernel.Initrd != "" {
		where = "it is not in " + c.Kernel.Initrd
	}
	c.find(Error, "root", "banger kernel initrd KERNEL; then "+c.withKernel(), "%s is a module, and %s", f.Name, where)
}

// checkGuest is about what else a guest looks for.
func (c *checker) checkGuest() error {
	if c.config == nil {
		return nil // checkRoot has said so
	}
	for _, f := range []struct {
		kernel.Feature
		level   Level
		without string
	}{
		{kernel.Devtmpfs, Error, "banger-init, by which banger boot starts any image, ends without it"},
		{kernel.Console, Warning, "the serial console stays silent"},
		{kernel.Vsock, Warning, "the host cannot speak to it over vsock"},
	} {
		switch c.reach(f.Feature) {
		case kernel.Absent:
			c.find(f.level, "guest", fmt.Sprintf("a kernel with CONFIG_%s; then %s", f.Option, c.withKernel()),
				"the kernel has no %s: %s", f.Name, f.without)
		case kernel.Loadable:
			if err := c.checkLoadable(f.Feature, f.without); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLoadable is about a feature in a module that no initrd loads: the guest
// can, if it has its kernel's modules.
func (c *checker) checkLoadable(f kernel.Feature, without string) error {
	there, err := c.hasModules()
	if there || err != nil {
		return err
	}
	c.find(Warning, "guest", "banger kernel add KERNEL of a package that has its modules; then "+c.withKernel(),
		"%s is a module, neither in an initrd nor in the image or beside it: %s", f.Name, without)
	return nil
}

// checkModules is about the modules that the guest will look for.
func (c *checker) checkModules() error {
	if c.arch == "" || c.config != nil && c.config["MODULES"] != "y" {
		return nil
	}
	release := c.Kernel.Release
	beside, err := c.modules.Release()
	if err == nil && beside != "" && beside != release {
		c.find(Warning, "modules", c.withKernel(), "%s is of %s, the kernel is %s", c.Kernel.Modules, beside, release)
		return nil
	}
	if has, err := c.hasModules(); has || err != nil {
		return err
	}
	there, err := c.names("/lib/modules")
	if err != nil {
		return err
	}
	if len(there) == 0 {
		there = []string{"none"}
	}
	c.find(Warning, "modules", "banger kernel add KERNEL of a package that has them; then "+c.withKernel(),
		"no modules of %s, neither in the image (%s) nor beside it: the guest can load none", release, strings.Join(there, ", "))
	return nil
}

// hasModules tells whether there are modules of the kernel's release, beside
// the image or in it.
func (c *checker) hasModules() (bool, error) {
	beside, err := c.modules.Release()
	if err != nil || beside != "" && beside == c.Kernel.Release {
		return err == nil, err
	}
	there, err := c.names("/lib/modules")
	return slices.Contains(there, c.Kernel.Release), err
}
