// SPDX-License-Identifier: Apache-2.0

// Command banger-register publishes an ext4 image with the kernel it boots.
package main

import (
	"context"
	"os"
	"time"

	"banger/lib/filter"
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
	name := tool.Flags.String("name", "", "publish the one image as `NAME` (default: from its reference)")
	force := tool.Flags.BoolP("force", "f", false, "replace an image that has the name")
	var k store.Kernel
	tool.Flags.StringVar(&k.Vmlinux, "kernel", "", "boot it with the kernel in `FILE`")
	tool.Flags.StringVar(&k.Initrd, "initrd", "", "and the initial ramdisk in `FILE`")
	tool.Flags.StringVar(&k.Modules, "modules", "", "and keep the modules in `DIR` with it")
	tool.Flags.StringVar(&k.Ref, "kernel-ref", "", "boot it with the kernel `NAME` of the state directory")
	tool.Single = func() bool { return *name != "" }
	tool.Check = func() error { return check(k) }

	os.Exit(tool.Each(func(ctx context.Context, rootfs string) (string, error) {
		state, err := xdg.State(os.Getenv)
		if err != nil {
			return "", err
		}
		s := store.Open(state)
		kernel, err := choose(s, k)
		if err != nil {
			return "", err
		}
		image, err := s.Publish(ctx, store.Publication{
			Rootfs: rootfs, Name: *name, Kernel: kernel, Replace: *force, Now: time.Now(),
		})
		if err != nil {
			return "", err
		}
		advise(tool, image)
		return image.Dir, nil
	}))
}

// check refuses flags for two kernels, or for parts of none.
func check(k store.Kernel) error {
	switch {
	case k.Ref != "" && (k.Vmlinux != "" || k.Initrd != "" || k.Modules != ""):
		return filter.Usagef("--kernel-ref brings its own --kernel, --initrd and --modules")
	case k.Vmlinux == "" && (k.Initrd != "" || k.Modules != ""):
		return filter.Usagef("--initrd and --modules go with --kernel")
	}
	return nil
}

// choose returns the kernel that the flags mean, nil for none.
func choose(s *store.Store, k store.Kernel) (*store.Kernel, error) {
	switch {
	case k.Ref != "":
		return s.Kernel(k.Ref)
	case k.Vmlinux != "":
		return &k, nil
	}
	return nil, nil
}

// advise says what the image still needs to boot.
func advise(tool *filter.Tool, image *store.Image) {
	if image.Kernel == nil {
		tool.Warn(image.Name + ": no kernel: -f with --kernel FILE or --kernel-ref NAME gives it one")
	}
	if missing, err := image.MissingInit(); err != nil {
		tool.Warn(image.Name + ": " + err.Error())
	} else if missing != "" {
		tool.Warn(image.Name + ": " + missing)
	}
}
