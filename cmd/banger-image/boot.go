// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"banger/lib/filter"
	"banger/lib/lint"
	"banger/lib/status"
	"banger/lib/store"
)

// check prints what an image runs, and what keeps it, or may keep it, from booting.
// It is an error if the image does not boot.
func check(ctx context.Context, tool *filter.Tool, s *store.Store, name string, asJSON bool) error {
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	findings, failed := lint.Check(ctx, i)
	for _, f := range findings {
		if err := printFinding(tool, name, f, asJSON); err != nil {
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

// printFinding prints a finding, and its remedy if it has one.
func printFinding(tool *filter.Tool, name string, f lint.Finding, asJSON bool) error {
	if asJSON {
		return tool.PrintJSON(f)
	}
	text := fmt.Sprintf("%s: %s: %s\n", name, f.Level, filter.Printable(f.Text))
	if f.Remedy != "" {
		text += "\t" + filter.Printable(f.Remedy) + "\n"
	}
	return tool.Print(text)
}
