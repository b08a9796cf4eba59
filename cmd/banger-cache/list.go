// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/docker/go-units"
	"github.com/opencontainers/go-digest"
)

// list prints one line per image.
func (c *command) list(context.Context) error {
	images, err := c.cache.Images()
	if err != nil {
		return err
	}
	rows := [][]string{{"REFERENCE", "DIGEST", "PLATFORM", "SIZE", "USED"}}
	for _, i := range images {
		if c.json {
			if err := c.PrintJSON(i); err != nil {
				return err
			}
			continue
		}
		if i.Problem != "" {
			c.Warn(i.Name() + ": " + i.Problem)
		}
		used := "-"
		if !i.Used.IsZero() {
			used = units.HumanDuration(time.Since(i.Used))
		}
		rows = append(rows, []string{or(i.Reference, "-"), short(i.Digest), or(i.Platform, "-"), units.BytesSize(float64(i.Bytes)), used})
	}
	if c.json {
		return nil
	}
	return c.PrintTable(rows)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// short returns the algorithm and twelve digits of a digest, which rm takes.
func short(d digest.Digest) string {
	return string(d.Algorithm()) + ":" + d.Encoded()[:12]
}
