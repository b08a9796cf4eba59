// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"banger/lib/filter"
	"banger/lib/store"
)

// list prints one line per kernel.
func (c *command) list(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return filter.Usagef("list takes no names")
	}
	if c.available {
		return c.listAvailable(ctx)
	}
	skipped := c.Skipped()
	kernels, err := c.store.Kernels(skipped.Add)
	if err != nil {
		return err
	}
	if err := c.printKernels(kernels); err != nil {
		return err
	}
	return skipped.Err()
}

func (c *command) printKernels(kernels []*store.Kernel) error {
	if c.json {
		return printAll(c, kernels)
	}
	rows := [][]string{{"NAME", "DISTRO", "ARCH", "RELEASE", "PARTS", "AGE"}}
	for _, k := range kernels {
		age := units.HumanDuration(time.Since(k.Added))
		rows = append(rows, []string{k.Name, or(k.Distro, "-"), k.Arch, k.Release, parts(k), age})
	}
	return c.PrintTable(rows)
}

// parts lists the parts of a kernel.
func parts(k *store.Kernel) string {
	return strings.Join(slices.Sorted(maps.Keys(k.SHA256)), ",")
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
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
		return c.PrintJSON(k)
	}
	raw, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = c.Print(string(raw) + "\n")
	}
	return err
}

// path prints a kernel's directory.
func (c *command) path(_ context.Context, name string) error {
	k, err := c.store.Kernel(name)
	if err != nil {
		return err
	}
	return c.Print(k.Dir + "\n")
}

func (c *command) remove(_ context.Context, name string) error { return c.store.RemoveKernel(name) }

// printAll prints one JSON object per line.
func printAll[T any](c *command, all []T) error {
	for _, one := range all {
		if err := c.PrintJSON(one); err != nil {
			return err
		}
	}
	return nil
}
