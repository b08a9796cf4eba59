// SPDX-License-Identifier: Apache-2.0

// Command banger-kernel manages the kernels that boot images.
package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"banger/lib/filter"
	"banger/lib/store"
	"banger/lib/xdg"
)

const help = `Usage: banger-kernel add [-f] NAME [SOURCE]
       banger-kernel pull [-f] [--catalog FILE|URL] [--timeout DURATION] NAME...
       banger-kernel list [--available [--catalog FILE|URL] [--timeout DURATION]]
                          [--json]
       banger-kernel show [--json] NAME...
       banger-kernel path NAME...
       banger-kernel rm NAME...
       banger-kernel initrd NAME...
       banger-kernel pack [-f] NAME...

Manages kernels for banger-register --kernel-ref. SOURCE, an operand or the line
of standard input, is a Debian package, a tar archive, a directory, a bundle or a
kernel file.

    $ banger-kernel add debian-6.1 linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb
    /home/me/.local/state/banger/kernels/debian-6.1
    $ banger-image-pull --kernel-ref debian-6.1 debian:bookworm
`

// A command is one run of the tool.
type command struct {
	*filter.Tool
	store *store.Store

	force     bool
	json      bool
	available bool
	catalog   string
	timeout   time.Duration
}

func main() {
	c := &command{Tool: filter.New("banger-kernel", help)}
	c.Flags.BoolVarP(&c.force, "force", "f", false, "replace an existing kernel or archive")
	c.Flags.StringVar(&c.catalog, "catalog", "", "use the catalog `FILE|URL` (default: the user's and the system's kernels.json)")
	c.Flags.BoolVar(&c.available, "available", false, "list the kernels in the catalog")
	c.Flags.BoolVar(&c.json, "json", false, "print one JSON object per line")
	c.Flags.DurationVar(&c.timeout, "timeout", time.Minute, "give up on a server that is silent for `DURATION`")
	os.Exit(c.Run(c.run))
}

// run runs a subcommand.
func (c *command) run(ctx context.Context, args []string) error {
	state, err := xdg.State(os.Getenv)
	if err != nil {
		return err
	}
	c.store = store.Open(state)
	if len(args) == 0 {
		return filter.Usagef("no command: add, pull, list, show, path, rm, initrd or pack")
	}
	verb, args := args[0], args[1:]
	if verb == "ls" {
		verb = "list"
	}
	act := map[string]func(context.Context, string) error{
		"pull": c.pull, "show": c.show, "path": c.path, "rm": c.remove, "initrd": c.initrd, "pack": c.pack,
	}[verb]
	if act == nil && verb != "add" && verb != "list" {
		return filter.NoCommand("kernel", verb, args, "add, pull, list, show, path, rm, initrd, pack or debian")
	}
	if err := c.check(verb); err != nil {
		return err
	}
	switch {
	case verb == "add":
		return c.add(ctx, args)
	case verb == "list":
		return c.list(ctx, args)
	case len(args) == 0:
		return filter.Usagef("%s: no kernel named", verb)
	}
	for _, name := range args {
		if err := act(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// goWith lists the subcommands of each flag.
var goWith = []struct {
	flag  string
	verbs []string
}{
	{"force", []string{"add", "pull", "pack"}},
	{"catalog", []string{"pull", "list"}},
	{"available", []string{"list"}},
	{"json", []string{"list", "show"}},
	{"timeout", []string{"pull", "list"}},
}

// check refuses flags that the subcommand does not have.
func (c *command) check(verb string) error {
	for _, g := range goWith {
		if c.Flags.Changed(g.flag) && !slices.Contains(g.verbs, verb) {
			return filter.Usagef("--%s goes with %s", g.flag, strings.Join(g.verbs, " and "))
		}
	}
	switch {
	case c.timeout <= 0:
		return filter.Usagef("--timeout %v: not a time", c.timeout)
	case verb == "list" && !c.available && (c.Flags.Changed("catalog") || c.Flags.Changed("timeout")):
		return filter.Usagef("list: --catalog and --timeout go with --available")
	}
	return nil
}
