// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"github.com/docker/go-units"

	"banger/lib/catalog"
)

// pull adds a kernel from a catalog.
func (c *command) pull(ctx context.Context, name string) error {
	p, err := c.puller()
	if err != nil {
		return err
	}
	progress := c.NewProgress("pulling", name)
	defer progress.Close()
	p.Progress = progress.Add
	k, err := p.Pull(ctx, c.catalog, name)
	progress.Close()
	if err != nil {
		return err
	}
	return c.Print(k.Dir + "\n")
}

func (c *command) puller() (*catalog.Puller, error) {
	p, err := catalog.NewPuller(c.store, os.Getenv, c.timeout)
	if err == nil {
		p.Replace, p.Warn = c.force, c.Warn
	}
	return p, err
}

// listAvailable prints one line per kernel that can be pulled.
func (c *command) listAvailable(ctx context.Context) error {
	p, err := c.puller()
	if err != nil {
		return err
	}
	set, err := p.Catalogs(ctx, c.catalog)
	if err != nil {
		return err
	}
	var all []*catalog.Entry
	for _, from := range set {
		all = append(all, from.Offers(func(err error) { c.Warn(from.From + ": " + err.Error()) })...)
	}
	if c.json {
		return printAll(c, all)
	}
	rows := [][]string{{"NAME", "DISTRO", "ARCH", "KERNEL", "SIZE", "DESCRIPTION"}}
	for _, e := range all {
		size := "-"
		if e.SizeBytes > 0 {
			size = units.BytesSize(float64(e.SizeBytes))
		}
		rows = append(rows, []string{e.Name, or(e.Distro, "-"), e.Arch, e.KernelVersion, size, e.Description})
	}
	return c.PrintTable(rows)
}
