// SPDX-License-Identifier: Apache-2.0

// Command banger-cache lists the images in the cache, removes what is not needed and
// checks its blobs.
package main

import (
	"context"
	"os"

	"banger/lib/cache"
	"banger/lib/filter"
	"banger/lib/xdg"
)

const help = `Usage: banger-cache list [--json]
       banger-cache rm REF...
       banger-cache prune [--older-than AGE] [--max-size SIZE] [--dry-run]
       banger-cache check

Lists the images that banger-fetch keeps in the cache, removes images, removes what
no image needs, and checks all blobs. Safe while other processes fetch, flatten and
verify images.

    $ banger-cache list
    REFERENCE                          DIGEST               PLATFORM     SIZE      USED
    docker.io/library/debian:bookworm  sha256:4f6a5c1b2d3e  linux/amd64  46.2MiB   3 days
    $ banger-cache prune --older-than 30d
    freed 1.6GiB: 4 images, 11 blobs
`

// A command is one run of the tool.
type command struct {
	*filter.Tool
	cache *cache.Cache
	json  bool
	prune cache.PruneOptions
}

func main() {
	c := &command{Tool: filter.New("banger-cache", help)}
	c.Flags.BoolVar(&c.json, "json", false, "print one JSON object per line")
	c.Flags.Func("older-than", "also remove images that were not used for `AGE`, such as 12h or 30d", func(s string) error {
		age, err := parseAge(s)
		c.prune.OlderThan = &age
		return err
	})
	c.Flags.Func("max-size", "also remove images until the blobs have at most `SIZE`, such as 20G,\nthe one that was used longest ago first", func(s string) error {
		size, err := parseSize(s)
		c.prune.MaxSize = &size
		return err
	})
	c.Flags.BoolVar(&c.prune.DryRun, "dry-run", false, "only print what would be removed")
	os.Exit(c.Run(c.run))
}

// run runs a subcommand.
func (c *command) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return filter.Usagef("no command: list, rm, prune or check")
	}
	verb, refs := args[0], args[1:]
	if verb == "ls" {
		verb = "list"
	}
	act := map[string]func(context.Context) error{
		"list": c.list, "prune": c.pruneCache, "check": c.check,
		"rm": func(ctx context.Context) error { return c.remove(ctx, refs) },
	}[verb]
	switch {
	case act == nil:
		return filter.NoCommand("cache", verb, refs, "list, rm, prune or check")
	case verb == "rm" && len(refs) == 0:
		return filter.Usagef("rm: no image named")
	case verb != "rm" && len(refs) > 0:
		return filter.Usagef("%s takes no names", verb)
	case c.json && verb != "list":
		return filter.Usagef("--json goes with list")
	case c.prune != (cache.PruneOptions{}) && verb != "prune":
		return filter.Usagef("--older-than, --max-size and --dry-run go with prune")
	}
	dir, err := xdg.Cache(os.Getenv)
	if err != nil {
		return err
	}
	if c.cache, err = cache.Open(dir, c.Warn); err != nil {
		return err
	}
	return act(ctx)
}
