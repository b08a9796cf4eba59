// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/machine"
	"banger/lib/status"
	"banger/lib/store"
	"banger/lib/xdg"
)

// boot boots an image, or prints how Firecracker would.
func boot(ctx context.Context, tool *filter.Tool, o options, name string, spec machine.Spec) error {
	state, err := xdg.State(os.Getenv)
	if err != nil {
		return err
	}
	dirs, err := xdg.Runtime(os.Getenv, os.Getuid())
	if err != nil {
		return err
	}
	tmp, err := xdg.Temp(os.Getenv)
	if err != nil {
		return err
	}
	if spec.Name != "" {
		if err := store.CheckName(spec.Name); err != nil {
			return err
		}
	}
	s := store.Open(state)
	image, err := choose(tool, s, name, *o.kernelRef)
	if err != nil {
		return err
	}
	b := &machine.Boot{
		Spec: spec, Image: image, Init: guest.Program, Temp: tmp, Dirs: machine.Dirs(dirs),
		Stdin: os.Stdin, Stdout: tool.Stdout, Stderr: tool.Stderr, Terminal: filter.Terminal(tool.Stdin),
		NameOf: func(uuid string) string { return nameOf(s, uuid) },
		Force:  filter.Second(),
	}
	o.tell(tool, b)
	switch *o.print {
	case "":
		return code(b.Run(ctx))
	case "commands":
		return printCommands(ctx, tool, b)
	}
	config, err := b.PrintFirecracker(ctx)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return tool.Print(string(raw) + "\n")
}

// printCommands prints the commands that boot the image by hand.
func printCommands(ctx context.Context, tool *filter.Tool, b *machine.Boot) error {
	var script strings.Builder
	b.Show = func(c machine.Command) { script.WriteString(c.String() + "\n") }
	if err := b.Commands(ctx); err != nil {
		return err
	}
	return tool.Print(script.String())
}

// tell sets the functions by which a boot reports.
func (o options) tell(tool *filter.Tool, b *machine.Boot) {
	note := func(text, hint string) {
		if *o.quiet {
			return
		}
		tool.Note(text)
		if hint != "" {
			tool.Hint(hint)
		}
	}
	b.Note = note
	b.Said = func(line string) { io.WriteString(tool.Stderr, filter.Printable(line)+"\n") }
	b.Show = func(c machine.Command) {
		if *o.verbose {
			io.WriteString(tool.Stderr, "+ "+c.String()+"\n")
		}
	}
	b.Begun = func(m machine.Record, emulated bool) {
		how := "KVM"
		if emulated {
			how = "emulated"
		}
		note(fmt.Sprintf("%s: booting (%s)", m.Name, how), "")
	}
	b.Listen = func(m machine.Record) {
		for _, f := range m.Ports {
			note(fmt.Sprintf("%s: 127.0.0.1:%d is port %d of the guest", m.Name, f.Host, f.Guest), "")
		}
	}
	b.Ready = func(m machine.Record) error { return ready(m.Name) }
}

// choose returns an image with the kernel that it is to boot: the one that the
// user names, its own, or the only one there is.
func choose(tool *filter.Tool, s *store.Store, name, kernel string) (*store.Image, error) {
	image, err := s.Image(name)
	if err != nil {
		return nil, err
	}
	if kernel == "" && image.Kernel != nil {
		return image, nil
	}
	if kernel == "" {
		kernels, err := s.Kernels(func(error) {})
		if err != nil {
			return nil, err
		}
		none := status.Errorf(status.Bad, "%s: no kernel", name)
		switch len(kernels) {
		case 0:
			return nil, status.Hint(none, "banger kernel debian debian && banger boot %s", name)
		case 1:
			kernel = kernels[0].Name
			tool.Note(fmt.Sprintf("%s: no kernel of its own: booting %s, the only kernel", name, kernel))
		default:
			return nil, status.Hint(none, "banger boot --kernel-ref %s %s", kernels[0].Name, name)
		}
	}
	return s.WithKernel(image, kernel)
}

// nameOf returns the name of an image whose root filesystem has a UUID.
func nameOf(s *store.Store, uuid string) string {
	images, err := s.Images(func(error) {})
	if err != nil {
		return ""
	}
	for _, i := range images {
		if i.Ext4.UUID == uuid {
			return i.Name
		}
	}
	return ""
}
