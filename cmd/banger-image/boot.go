// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/lint"
	"banger/lib/status"
	"banger/lib/store"
)

// check prints what keeps, or may keep, an image from booting. It is an error if
// the image does not boot.
func check(ctx context.Context, tool *filter.Tool, s *store.Store, name string, asJSON bool) error {
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	findings, failed := lint.Check(ctx, i)
	for _, f := range findings {
		if asJSON {
			err = tool.PrintJSON(f)
		} else {
			err = tool.Print(fmt.Sprintf("%s: %s: %s\n\t%s\n", name, f.Level, filter.Printable(f.Text), filter.Printable(f.Remedy)))
		}
		if err != nil {
			return err
		}
	}
	if failed != nil {
		return fmt.Errorf("%s: %w", name, failed)
	}
	if !lint.Bootable(findings) {
		return status.Errorf(status.Bad, "%s: will not boot", name)
	}
	return nil
}

// writeInitrd writes an initial ramdisk for an image to standard output.
func writeInitrd(ctx context.Context, tool *filter.Tool, s *store.Store, name string, command []string) error {
	if tool.OutIsTerminal() {
		return filter.Usagef("initrd: standard output is a terminal")
	}
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	return i.WriteInitrd(ctx, tool.Out(), command, guest.Program)
}
