// SPDX-License-Identifier: Apache-2.0

// Command banger-verify checks ext4 images against their layers and passes on
// those that match.
package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"banger/lib/bundle"
	"banger/lib/filter"
	"banger/lib/layer"
	"banger/lib/layout"
	"banger/lib/replay"
	"banger/lib/status"
	"banger/lib/verify"
)

const help = `Usage: banger-verify [--against BUNDLE|DIR|LAYOUT] [--json] [--max-entries ENTRIES]
                     [EXT4|DIR...]

Checks ext4 images, named by operands or by lines of standard input, against their
layers; passes on those that match. Reads the layers from the layout recorded in
image.json, else from the cache. Compares each path's type, owner, mode, time,
links, device and attributes and each file's content, and checks the filesystem's
own checksums and counts. Lists the differences of the others.

    $ banger-fetch debian:bookworm | banger-flatten | banger-mkext4 |
        banger-verify | banger-register
    /home/me/.local/state/banger/images/debian-bookworm
    $ banger-verify ~/.local/state/banger/images/debian-bookworm
`

func main() {
	tool := filter.New("banger-verify", help)
	against := tool.Flags.String("against", "", "compare with `BUNDLE|DIR|LAYOUT`: a bundle's current tree and manifest,\nthe directory an image was made from, or the layers in an OCI image layout")
	asJSON := tool.Flags.Bool("json", false, "print the differences, one JSON object per line, instead of the images")
	maxEntries := tool.Flags.Int64("max-entries", replay.MaxEntries, "reject layers with more than `ENTRIES` entries")
	tool.NoLines = func() bool { return *asJSON }
	tool.Check = func() error {
		if *maxEntries < 0 {
			return filter.Usagef("negative limit")
		}
		return nil
	}

	os.Exit(tool.Each(func(ctx context.Context, image string) (string, error) {
		rootfs, err := ext4File(image)
		if err != nil {
			return "", err
		}
		docs, err := bundle.ReadDocuments(rootfs)
		if err != nil {
			return "", err
		}
		progress := tool.NewProgress("verifying", nameOf(rootfs))
		defer progress.Close()
		layers := &replayer{maxEntries: *maxEntries, warn: tool.Warn, progress: progress.Add}
		source, err := choose(ctx, *against, docs, layers)
		if err != nil {
			return "", err
		}
		defer layers.image.Close()
		r := report{tool: tool, image: image, json: *asJSON}
		want, err := verify.Image(ctx, rootfs, source, r.add)
		progress.Close()
		switch {
		case errors.Is(err, layer.ErrTooManyEntries):
			err = status.Hint(err, "the --max-entries flag of banger-verify raises the limit")
		case errors.Is(err, layout.ErrDamaged) && layers.isCached:
			err = status.Hint(err, "banger-cache check")
		}
		if err != nil {
			return "", err
		}
		// Writing the manifest takes time, so do it only to explain a difference.
		return image, r.end(r.count > 0 && *against == "" && want != nil && wasEdited(want, docs))
	}))
}

// nameOf returns what the user calls an image: the file, or its directory.
func nameOf(rootfs string) string {
	dir, file := filepath.Split(rootfs)
	if file == bundle.Ext4File && dir != "" {
		return filepath.Base(dir)
	}
	return file
}

// ext4File returns path if it is a file, or the ext4 file in the bundle or
// published image at path.
func ext4File(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	rootfs := filepath.Join(path, bundle.Ext4File)
	if _, err := os.Stat(rootfs); err != nil {
		return "", status.Hint(err, "give an ext4 file, or a bundle or published image that contains one")
	}
	return rootfs, nil
}
