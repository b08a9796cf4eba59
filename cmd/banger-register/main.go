// SPDX-License-Identifier: Apache-2.0

// Command banger-register publishes an ext4 image with the kernel it boots.
package main

import (
	"context"
	"os"
	"time"

	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/lint"
	"banger/lib/store"
	"banger/lib/xdg"
)

const help = `Usage: banger-register [--name NAME] [-f] [--kernel FILE [--initrd FILE] [--modules DIR] | --kernel-ref NAME] [EXT4...]

Publishes ext4 images, named by operands or by lines of standard input, with a
copy of the kernel that boots them, and prints the directory of each.

    $ banger-fetch debian:bookworm | banger-flatten | banger-mkext4 |
        banger-register --name web --kernel /boot/vmlinuz
    /home/me/.local/state/banger/images/web
`

func main() {
	tool := filter.New("banger-register", help)
	name := tool.Flags.String("name", "", "publish the image as `NAME` (default: from its reference)")
	force := tool.Flags.BoolP("force", "f", false, "replace an existing image")
	var k choice
	tool.Flags.StringVar(&k.kernel, "kernel", "", "boot it with the kernel in `FILE`")
	tool.Flags.StringVar(&k.initrd, "initrd", "", "and the initial ramdisk in `FILE`")
	tool.Flags.StringVar(&k.modules, "modules", "", "and the modules in `DIR`")
	tool.Flags.StringVar(&k.ref, "kernel-ref", "", "boot it with the kernel `NAME`, pulled first if it is only in a catalog")
	tool.Single = func() bool { return *name != "" }
	tool.Check = k.check

	os.Exit(tool.Each(func(ctx context.Context, rootfs string) (string, error) {
		state, err := xdg.State(os.Getenv)
		if err != nil {
			return "", err
		}
		s := store.Open(state)
		kernel, err := k.open(ctx, tool, s)
		if err != nil {
			return "", err
		}
		defer kernel.Close()
		image, err := s.Publish(ctx, store.Publication{
			Rootfs: rootfs, Name: *name, Kernel: kernel, Replace: *force, Now: time.Now(), Init: guest.Program,
		})
		if err != nil {
			return "", err
		}
		advise(ctx, tool, image)
		return image.Dir, nil
	}))
}

// advise warns of what keeps, or may keep, the image from booting.
func advise(ctx context.Context, tool *filter.Tool, image *store.Image) {
	findings, err := lint.Check(ctx, image)
	if err != nil && ctx.Err() == nil {
		tool.Warn(image.Name + ": " + err.Error())
	}
	last := ""
	for _, f := range findings {
		if f.Level == lint.Runs {
			continue
		}
		tool.Warn(image.Name + ": " + f.Text)
		if f.Remedy != last { // several findings may have one remedy
			tool.Hint(f.Remedy)
		}
		last = f.Remedy
	}
}
