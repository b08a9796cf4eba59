// SPDX-License-Identifier: Apache-2.0

// Command banger-fetch pulls images from OCI registries into the cache.
package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"banger/lib/filter"
	"banger/lib/layout"
	"banger/lib/registry"
	"banger/lib/xdg"
)

const help = `Usage: banger-fetch [--platform OS/ARCH[/VARIANT]] [--timeout DURATION] [REF...]

Pulls images, named by operands or lines of standard input, into the cache, an
OCI image layout, and prints LAYOUT:REF@DIGEST for each.

    $ banger-fetch debian:bookworm
    /home/me/.cache/banger/oci:docker.io/library/debian:bookworm@sha256:...

Uses the credentials of docker login and podman login.
`

func main() {
	tool := filter.New("banger-fetch", help)
	platform := layout.DefaultPlatform
	tool.Flags.Func("platform", "pull the image for `OS/ARCH[/VARIANT]` (default linux/amd64)", func(s string) (err error) {
		platform, err = layout.ParsePlatform(s)
		return err
	})
	timeout := tool.Flags.Duration("timeout", time.Minute, "give up on a server that sends nothing for `DURATION`")
	tool.Check = func() error {
		if *timeout <= 0 {
			return filter.Usagef("invalid --timeout %v", *timeout)
		}
		return nil
	}
	os.Exit(tool.Each(func(ctx context.Context, ref string) (string, error) {
		cache, err := xdg.Cache(os.Getenv)
		if err != nil {
			return "", err
		}
		to, err := layout.NewWriter(filepath.Join(cache, "oci"), tool.Warn)
		if err != nil {
			return "", err
		}
		defer to.Close()
		source := registry.NewSource(os.Getenv, *timeout)
		source.Platform = platform
		progress := tool.NewProgress("fetching", ref)
		defer progress.Close()
		image, err := source.Pull(ctx, to, ref, progress.Add)
		return image.String(), err
	}))
}
