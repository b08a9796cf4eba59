// SPDX-License-Identifier: Apache-2.0

// Command banger-mkext4 makes an ext4 image of a bundle or a directory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/docker/go-units"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/filter"
	"banger/lib/verify"
)

const help = `Usage: banger-mkext4 [-o FILE] [-f] [--size SIZE | --free SIZE] [--populate direct|mkfs] [BUNDLE|DIR...]

Makes ext4 images from bundles or plain directories, named by operands or by
lines of standard input, and prints their paths: BUNDLE/rootfs.ext4 or DIR.ext4.
By default the free space is at least a quarter of the content, the free inodes at
least a quarter of the used ones, and the file at least 1 GiB. The file is sparse;
FILE.json next to it records how it was made.

    $ banger-fetch debian:bookworm | banger-flatten | banger-mkext4 --free 2G
    debian-bookworm.bundle/rootfs.ext4
`

func main() {
	tool := filter.New("banger-mkext4", help)
	output := tool.Flags.StringP("output", "o", "", "create the image at `FILE`, with image.json and config.json next to it")
	force := tool.Flags.BoolP("force", "f", false, "replace an existing ext4 image")
	o := bundle.Ext4Options{Options: ext4.Options{Free: -1}}
	tool.Flags.Func("size", "make it `SIZE` large (512M, 4G), or min for no free space", func(s string) error {
		return parseSize(s, &o)
	})
	tool.Flags.Func("free", "leave `SIZE` free (0, 500M)", func(s string) (err error) {
		o.Free, err = parseBytes(s)
		return err
	})
	tool.Flags.Func("populate", "fill the image by `METHOD`: direct (the default) or mkfs (mkfs.ext4 -d)", func(s string) error {
		return parsePopulate(s, &o)
	})
	tool.Single = func() bool { return *output != "" }

	tool.Check = func() error {
		if o.Free >= 0 && (o.Size > 0 || o.Minimal) {
			return filter.Usagef("--size and --free exclude each other")
		}
		return nil
	}

	os.Exit(tool.Each(func(ctx context.Context, dir string) (string, error) {
		mkfs, err := ext4.FindMkfs(ctx)
		if err != nil {
			return "", err
		}
		o := o
		source, err := openSource(ctx, dir, &o, tool.Warn)
		if err != nil {
			return "", err
		}
		o.Mkfs, o.Replace, o.CopyDocuments = mkfs, *force, *output != ""
		dst, err := imageFile(dir)
		if err != nil {
			return "", err
		}
		name := strings.TrimSuffix(filepath.Base(dst), ".ext4")
		switch {
		case *output != "":
			dst = *output
		case source.Record != nil:
			dst = filepath.Join(dir, bundle.Ext4File)
		}
		progress := tool.NewProgress("making", name)
		defer progress.Close()
		o.Progress = progress.Set
		return dst, nameFull(dst, source.WriteExt4(ctx, dst, o))
	}))
}

// nameFull adds the name of the image to an error of a full disk that names no file.
func nameFull(dst string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) && !errors.As(err, new(*fs.PathError)) {
			return fmt.Errorf("%s: %w", dst, err)
		}
	}
	return err
}

// openSource opens the bundle or directory dir. By default lib/ext4 reads the
// files later. mkfs.ext4 opens them by name, so they are read here first and the
// image is compared with what was read.
func openSource(ctx context.Context, dir string, o *bundle.Ext4Options, warn func(string)) (*bundle.Source, error) {
	if o.Populate != ext4.PopulateMkfs {
		return bundle.Open(ctx, dir, nil, warn)
	}
	source, read, err := verify.Open(ctx, dir, warn)
	o.Check = func(ctx context.Context, path string) error { return verify.Unchanged(ctx, path, read) }
	return source, err
}

// imageFile returns the name of the image of a plain directory: DIR.ext4, also
// if DIR is . or ..
func imageFile(dir string) (string, error) {
	dir = filepath.Clean(dir)
	if base := filepath.Base(dir); base != "." && base != ".." {
		return dir + ".ext4", nil
	}
	abs, err := filepath.Abs(dir)
	return abs + ".ext4", err
}

// parsePopulate parses --populate.
func parsePopulate(s string, o *bundle.Ext4Options) error {
	switch o.Populate = ext4.Populate(s); o.Populate {
	case ext4.PopulateDirect, ext4.PopulateMkfs:
		return nil
	}
	return errors.New("must be direct or mkfs")
}

// parseSize parses --size and rounds it down to whole blocks of 4 KiB. lib/ext4
// rejects other sizes below 8 MiB, with the minimum for the image.
func parseSize(s string, o *bundle.Ext4Options) error {
	if o.Minimal = s == "min"; o.Minimal {
		return nil
	}
	size, err := parseBytes(s)
	if err == nil && size < 4096 {
		err = errors.New("too small (minimum 8M)")
	}
	o.Size = size / 4096 * 4096
	return err
}

// parseBytes parses a size below 16 TiB, the limit of the format.
func parseBytes(s string) (int64, error) {
	size, err := units.RAMInBytes(s)
	if err == nil && (size < 0 || size >= 16<<40) { // negative if it overflows an int64
		err = errors.New("must be less than 16T")
	}
	return size, err
}
