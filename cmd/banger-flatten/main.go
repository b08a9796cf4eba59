// SPDX-License-Identifier: Apache-2.0

// Command banger-flatten applies the layers of images and writes bundles.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/lib/bundle"
	"banger/lib/filter"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/mtree"
	"banger/lib/replay"
	"banger/lib/status"
	"banger/lib/xdg"
)

const help = `Usage: banger-flatten [-C DIR | -o PATH] [-f] [-v] [LAYOUT[:REF][@DIGEST]...]

Replays the layers of images in OCI image layouts, named by operands or by lines
of standard input, into bundles, and prints their paths. A bundle has names and
contents in rootfs/ and all other metadata in rootfs.mtree.

    $ banger-fetch debian:bookworm | banger-flatten
    debian-bookworm.bundle
    $ grep ^./etc/shadow debian-bookworm.bundle/rootfs.mtree
`

func main() {
	tool := filter.New("banger-flatten", help)
	into := tool.Flags.StringP("directory", "C", ".", "create bundles in `DIR`")
	output := tool.Flags.StringP("output", "o", "", "create the bundle at `PATH`")
	force := tool.Flags.BoolP("force", "f", false, "replace an existing bundle")
	verbose := tool.Flags.BoolP("verbose", "v", false, "list on stderr what each layer adds and removes")
	platform := layout.DefaultPlatform
	tool.Flags.Func("platform", "select the image for `OS/ARCH[/VARIANT]` (default linux/amd64)", func(s string) (err error) {
		platform, err = layout.ParsePlatform(s)
		return err
	})
	maxSize := tool.Flags.Int64("max-size", 1<<40, "reject an image with more than `BYTES` of files")
	maxEntries := tool.Flags.Int64("max-entries", replay.MaxEntries, "reject an image with more than `ENTRIES` entries")
	tool.Single = func() bool { return *output != "" }
	tool.Check = func() error {
		if *output != "" && tool.Flags.Changed("directory") {
			return filter.Usagef("-C and -o are mutually exclusive")
		}
		if *maxSize < 0 || *maxEntries < 0 {
			return filter.Usagef("negative limit")
		}
		return nil
	}

	os.Exit(tool.Each(func(ctx context.Context, line string) (string, error) {
		ref, err := layout.ParseRef(line)
		if err != nil {
			return "", err
		}
		source, err := layout.Open(ref.Dir)
		if err != nil {
			return "", err
		}
		image, err := source.Image(ctx, ref, platform)
		if err != nil {
			return "", err
		}
		defer image.Close()
		reference := ref.Reference(image.Manifest.Digest)
		dst := *output
		if dst == "" {
			name := reference // without a name in the layout, the name of its directory
			if ref.Name != "" {
				name = bundle.Name(reference)
			}
			dst = filepath.Join(*into, name+bundle.Suffix)
		}
		if *output == "" {
			if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
				return "", status.CreateError(err)
			}
		}
		progress := tool.NewProgress("flattening", filepath.Base(dst))
		defer progress.Close()
		cached := xdg.IsCache(os.Getenv, ref.Dir)
		if cached {
			image.Touch()
		}
		// In the cache, banger-verify looks anyway.
		o := bundle.Options{Reference: reference, Layout: ref.Dir, RecordLayout: !cached, Replace: *force}
		o.MaxSize, o.MaxEntries = *maxSize, *maxEntries
		o.Warn, o.Progress = tool.Warn, progress.Add
		if *verbose {
			o.Explain = func(e layer.Event) { tool.Detail(explain(e)) }
		}
		return dst, hint(bundle.Create(ctx, dst, image, o), cached)
	}))
}

// hint adds to an error of a limit, of a full disk, or of a damaged blob of the cache
// what the user can do.
func hint(err error, cached bool) error {
	switch {
	case cached && errors.Is(err, layout.ErrDamaged):
		return status.Hint(err, "banger-cache check")
	case errors.Is(err, layer.ErrTooManyEntries):
		return status.Hint(err, "the --max-entries flag of banger-flatten raises the limit")
	case errors.Is(err, layer.ErrTooLarge):
		return status.Hint(err, "the --max-size flag of banger-flatten raises the limit")
	case errors.Is(err, unix.ENOSPC):
		return status.Hint(err, "free space there, or use -C DIR or -o PATH on another filesystem (banger image pull: set TMPDIR)")
	}
	return err
}

// explain describes an event: layer, + or -, path, and the entry that removed it.
func explain(e layer.Event) string {
	line := fmt.Sprintf("%s %c %s", e.Layer, e.Op, mtree.Escape(e.Path))
	if e.Op == '-' {
		line += " by " + mtree.Escape(e.By)
	}
	return line
}
