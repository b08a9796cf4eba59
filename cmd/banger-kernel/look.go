// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"banger/lib/filter"
	"banger/lib/store"
)

// list prints a line a kernel.
func (c *command) list(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return filter.Usagef("list takes no names")
	}
	if c.available {
		return c.listAvailable(ctx)
	}
	kernels, err := c.store.Kernels(func(err error) { c.Warn(err.Error()) })
	if err != nil {
		return err
	}
	if c.json {
		return printAll(c, kernels)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tDISTRO\tARCH\tRELEASE\tPARTS\tAGE")
	for _, k := range kernels {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, or(k.Distro, "-"), k.Arch, k.Release, parts(k),
			units.HumanDuration(time.Since(k.Added)))
	}
	return w.Flush()
}

// parts are what a kernel has.
func parts(k *store.Kernel) string {
	return strings.Join(slices.Sorted(maps.Keys(k.SHA256)), ",")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// show prints a kernel's record.
func (c *command) show(_ context.Context, name string) error {
	k, err := c.store.Kernel(name)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(k)
	}
	raw, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = c.printLine(string(raw))
	}
	return err
}

// path prints a kernel's directory.
func (c *command) path(_ context.Context, name string) error {
	k, err := c.store.Kernel(name)
	if err != nil {
		return err
	}
	return c.printLine(k.Dir)
}

func (c *command) remove(_ context.Context, name string) error { return c.store.RemoveKernel(name) }

// printAll prints an object a line.
func printAll[T any](c *command, all []T) error {
	for _, one := range all {
		if err := c.printJSON(one); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) printJSON(v any) error { return json.NewEncoder(c.Stdout).Encode(v) }
