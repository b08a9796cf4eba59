// SPDX-License-Identifier: Apache-2.0

// Command banger-fetch pulls images from OCI registries into the cache.
package main

import (
	"context"
	"os"

	"banger/lib/filter"
	"banger/lib/layout"
	"banger/lib/saved"
	"banger/lib/status"
	"banger/lib/xdg"
)

const help = `Usage: banger-fetch [--platform OS/ARCH[/VARIANT]] [--retry-for DURATION] [--offline]
                    [--dry-run] [--verifier DIR] [--hosts-dir DIR]...
                    [--plain-http HOST[:PORT]]... [-v] [REF...]

Pulls images, named by operands or lines of standard input, into the cache, an
OCI image layout, and prints LAYOUT:REF@DIGEST for each.

    $ banger-fetch debian:bookworm
    /home/me/.cache/banger/oci:docker.io/library/debian:bookworm@sha256:...

An image may also be oci:DIR, oci-archive:FILE or docker-archive:FILE, or the operand -
for an archive on standard input.

Uses the credentials of docker login and podman login, and the mirrors and
certificates of hosts.toml.
`

func main() {
	tool := filter.New("banger-fetch", help)
	o := newOptions(tool)
	tool.Check = o.check
	tool.NoLines = func() bool { return *o.dryRun }
	os.Exit(tool.Each(func(ctx context.Context, ref string) (string, error) {
		if ref == "-" && tool.Flags.NArg() == 0 {
			return "", status.Hint(filter.Usagef("the lines of standard input name images, an archive is read with the operand -"),
				"docker save app | banger-fetch -")
		}
		if err := o.checkSaved(ref); err != nil {
			return "", err
		}
		dir, err := xdg.Cache(os.Getenv)
		if err != nil {
			return "", err
		}
		if *o.dryRun {
			return "", o.plan(ctx, dir, ref)
		}
		to, err := layout.NewWriter(ctx, dir, tool.Warn)
		if err != nil {
			return "", err
		}
		defer to.Close()
		progress := tool.NewProgress("fetching", ref)
		defer progress.Close()
		if saved.Is(ref) {
			source := saved.Source{Platform: o.platform, Stdin: tool.Stdin, Warn: tool.Warn}
			image, err := source.Pull(ctx, to, ref, progress.Add)
			return image.String(), err
		}
		image, err := o.source().Pull(ctx, to, ref, progress.Add)
		return image.String(), err
	}))
}
