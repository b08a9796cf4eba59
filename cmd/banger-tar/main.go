// SPDX-License-Identifier: Apache-2.0

// Command banger-tar writes a bundle or a directory as a tar archive.
package main

import (
	"context"
	"os"

	"banger/lib/bundle"
	"banger/lib/filter"
	"banger/lib/status"
)

const help = `Usage: banger-tar [-z] [BUNDLE|DIR] >FILE

Writes a bundle or a plain directory, named by an operand or by the one line of
standard input, to standard output as a pax archive with all its metadata. The
same bundle produces the same bytes.

    $ banger-fetch debian:bookworm | banger-flatten | banger-tar | tar t | head -n 2
    ./
    ./bin
`

func main() {
	tool := filter.New("banger-tar", help)
	compress := tool.Flags.BoolP("gzip", "z", false, "compress the archive with gzip, on all processors")
	os.Exit(tool.Run(func(ctx context.Context, args []string) error {
		if len(args) > 1 {
			return filter.Usagef("too many operands: %d", len(args))
		}
		if tool.OutIsTerminal() {
			return status.Hint(filter.Usagef("standard output is a terminal"), "banger-tar BUNDLE >FILE, or | tar t")
		}
		dir, err := tool.One(ctx, args)
		if err != nil {
			return err
		}
		source, err := bundle.Open(ctx, dir, nil, tool.Warn)
		if err != nil {
			return err
		}
		if *compress {
			return source.WriteTarGzip(ctx, tool.Out(), tool.Warn)
		}
		return source.WriteTar(ctx, tool.Out(), tool.Warn)
	}))
}
