// SPDX-License-Identifier: Apache-2.0

// Command banger-image manages published images.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/docker/go-units"

	"banger/lib/filter"
	"banger/lib/store"
	"banger/lib/xdg"
)

const help = `Usage: banger-image list [--json]
       banger-image show [--json] NAME...
       banger-image path NAME...
       banger-image rm NAME...
       banger-image lint [--json] NAME...
       banger-image initrd [--ssh-key FILE]... [--load-credential ID:FILE]... [--kernel-ref KERNEL] NAME [-- CMD...] >FILE

Lists published images, shows their records, prints their directories, removes
them; reports what they run and whether they will boot; writes an initial ramdisk
for one, that runs CMD, or lets the owner of a key log in.

    $ banger-image list
    NAME             REFERENCE                          SIZE   KERNEL      MANAGED  AGE
    debian-bookworm  docker.io/library/debian:bookworm  1GiB   debian-6.1  yes      2 hours
    $ cp --sparse=always --no-preserve=mode "$(banger-image path debian-bookworm)"/rootfs.ext4 vm.ext4
`

func main() {
	tool := filter.New("banger-image", help)
	asJSON := tool.Flags.Bool("json", false, "print one JSON object per line")
	initrd := addInitrdFlags(tool)
	os.Exit(tool.Run(func(ctx context.Context, args []string) error {
		state, err := xdg.State(os.Getenv)
		if err != nil {
			return err
		}
		return run(ctx, tool, store.Open(state), args, *asJSON, initrd)
	}))
}

// run runs a subcommand.
func run(ctx context.Context, tool *filter.Tool, s *store.Store, args []string, asJSON bool, initrd initrdFlags) error {
	if len(args) == 0 {
		return filter.Usagef("no command: list, show, path, rm, lint or initrd")
	}
	verb, names := args[0], args[1:]
	act := map[string]func(string) error{
		"show":   func(name string) error { return show(tool, s, name, asJSON) },
		"path":   func(name string) error { return path(tool, s, name) },
		"rm":     s.Remove,
		"lint":   func(name string) error { return check(ctx, tool, s, name, asJSON) },
		"initrd": func(name string) error { return writeInitrd(ctx, tool, s, name, args[2:], initrd) },
	}[verb]
	isList := verb == "list" || verb == "ls"
	switch {
	case isList && len(names) > 0:
		return filter.Usagef("list takes no names")
	case isList:
		return list(tool, s, asJSON)
	case act == nil:
		return filter.NoCommand("image", verb, names, "list, show, path, rm, lint, initrd, build or pull")
	case len(names) == 0:
		return filter.Usagef("%s: no image named", verb)
	case asJSON && verb != "show" && verb != "lint":
		return filter.Usagef("--json goes with list, show and lint")
	case initrd.given() && verb != "initrd":
		return filter.Usagef("--ssh-key, --load-credential and --kernel-ref go with initrd")
	case verb == "initrd":
		names = args[1:2] // the others are its command
	}
	for _, name := range names {
		if err := act(name); err != nil {
			return err
		}
	}
	return nil
}

// list prints one line per image.
func list(tool *filter.Tool, s *store.Store, asJSON bool) error {
	skipped := tool.Skipped()
	images, err := s.Images(skipped.Add)
	if err != nil {
		return err
	}
	if asJSON {
		for _, i := range images {
			if err := tool.PrintJSON(i); err != nil {
				return err
			}
		}
		return skipped.Err()
	}
	rows := [][]string{{"NAME", "REFERENCE", "SIZE", "KERNEL", "MANAGED", "AGE"}}
	for _, i := range images {
		size, age := units.BytesSize(float64(i.Ext4.Size)), units.HumanDuration(time.Since(i.Registered))
		rows = append(rows, []string{i.Name, or(i.Reference, "-"), size, kernel(i), yes(i.Managed), age})
	}
	if err := tool.PrintTable(rows); err != nil {
		return err
	}
	return skipped.Err()
}

// kernel returns the name of an image's kernel for the list.
func kernel(i *store.Image) string {
	if i.Kernel == nil {
		return "-"
	}
	return or(i.Kernel.Ref, or(i.Kernel.Release, "file"))
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// show prints an image's record.
func show(tool *filter.Tool, s *store.Store, name string, asJSON bool) error {
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	if asJSON {
		return tool.PrintJSON(i)
	}
	raw, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return tool.Print(string(raw) + "\n")
}

// path prints an image's directory.
func path(tool *filter.Tool, s *store.Store, name string) error {
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	return tool.Print(i.Dir + "\n")
}
