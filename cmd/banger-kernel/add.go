// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"banger/lib/archive"
	"banger/lib/catalog"
	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/stage"
	"banger/lib/store"
)

// add adds a kernel from the source in an operand or on standard input.
func (c *command) add(ctx context.Context, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return filter.Usagef("add NAME SOURCE")
	}
	source, err := c.One(ctx, args[1:])
	if err != nil {
		return err
	}
	scratch, err := c.store.Scratch(args[0], c.force)
	if err != nil {
		return err
	}
	defer scratch.Discard()
	files, err := archive.Open(ctx, filepath.Join(scratch.Path, "files"), source, c.Warn)
	if err != nil {
		return err
	}
	defer files.Close()
	k, err := c.store.AddKernel(ctx, store.Addition{
		Name: args[0], Files: files.FS, Source: files.Source, Replace: c.force,
		Now: time.Now(), Init: guest.Program,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return c.Print(k.Dir + "\n")
}

// initrd remakes the initial ramdisk of a kernel, if it needs one.
func (c *command) initrd(ctx context.Context, name string) error {
	path, err := c.store.RemakeInitrd(ctx, name, guest.Program, time.Now())
	if err != nil {
		return err
	}
	if path == "" {
		fmt.Fprintf(c.Stderr, "%s: %s: needs no initrd\n", c.Name, name)
		return nil
	}
	return c.Print(path + "\n")
}

// pack writes a kernel's archive into the working directory and prints its entry
// for a catalog.
func (c *command) pack(ctx context.Context, name string) error {
	k, err := c.store.OpenKernel(name)
	if err != nil {
		return err
	}
	defer k.Close()
	var o stage.Options
	if c.force {
		o.Replaces = store.IsPack
	}
	file := name + ".tar.zst"
	st, err := stage.NewFile(file, o)
	if err != nil {
		return err
	}
	defer st.Discard()
	e := catalog.Entry{
		Name: name, Distro: k.Kernel.Distro, Arch: k.Kernel.Arch, KernelVersion: k.Kernel.Release,
		Description: k.Kernel.Source, TarballURL: file,
	}
	if e.SizeBytes, e.TarballSHA256, err = k.PackFile(ctx, st.Path); err != nil {
		return err
	}
	if err := st.CommitSync(); err != nil {
		return err
	}
	return c.PrintJSON(e)
}
