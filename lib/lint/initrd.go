// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"cmp"
	"path/filepath"
	"slices"

	"banger/lib/guest"
	"banger/lib/kernel"
	"banger/lib/store"
)

// checkInitrd checks that the image's own initrd.img runs the image's command.
// banger boot makes another one.
func (c *checker) checkInitrd() error {
	if c.InitrdPath() == "" {
		c.checkNoInitrd()
		return nil
	}
	own, foreign, err := store.ReadInitrd(c.InitrdPath())
	if err != nil {
		return err
	}
	name := filepath.Base(c.InitrdPath())
	again := c.publishAgain("publish it again without --initrd")
	switch {
	case foreign && c.initrd != nil:
		c.report(Warning, "guest", again, "%s came with the kernel: it has no agent, and does not run the image's command", name)
	case own.Personal():
		c.report(Warning, "guest", again, "%s came with the kernel: it is for one machine, and may not run the image's command", name)
	}
	return nil
}

// checkNoInitrd reports why there is no initrd.img.
func (c *checker) checkNoInitrd() {
	arch := cmp.Or(c.arch, c.Arch())
	switch {
	case c.state(kernel.Ramdisk) == kernel.Absent: // reported by checkRamdisk
	case arch == "":
		c.report(Warning, "guest", c.KernelCommand(), "no initrd.img: the architecture is unknown without a kernel")
	case !slices.Contains(guest.Archs, arch):
		c.report(Warning, "guest", "use the image for linux/amd64 or linux/arm64", "no initrd.img: there is no banger-init for %s", arch)
	default:
		c.report(Warning, "guest", c.publishAgain("publish it again"), "no initrd.img: only banger boot runs the image's command")
	}
}

// publishAgain returns the command that gives the image an initrd.img of banger's,
// or action if its kernel is not one of the store.
func (c *checker) publishAgain(action string) string {
	switch {
	case c.Kernel == nil:
		return c.KernelCommand()
	case c.Kernel.Ref == "":
		return action
	}
	return c.remakeInitrd()
}
