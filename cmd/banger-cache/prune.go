// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"banger/lib/cache"
	"banger/lib/registry"
)

// remove removes images.
func (c *command) remove(ctx context.Context, refs []string) error {
	freed, err := c.cache.Remove(ctx, refs, registry.Complete)
	return c.say("freed", freed, err)
}

// pruneCache removes what is not needed.
func (c *command) pruneCache(ctx context.Context) error {
	freed, err := c.cache.Prune(ctx, c.prune)
	if !c.prune.DryRun {
		return c.say("freed", freed, err)
	}
	for _, i := range freed.Images {
		if err := c.Print(i.Name() + "\n"); err != nil {
			return err
		}
	}
	return c.say("would free", freed, err)
}

// say prints what was freed, in one line, unless an error kept all.
func (c *command) say(what string, freed cache.Freed, failed error) error {
	if failed != nil && freed.Bytes == 0 && len(freed.Images) == 0 {
		return failed
	}
	line := fmt.Sprintf("%s %s: %s, %s", what, units.BytesSize(float64(freed.Bytes)),
		plural(len(freed.Images), "image"), plural(freed.Blobs, "blob"))
	if freed.Files > 0 {
		line += ", " + plural(freed.Files, "other file")
	}
	return errors.Join(c.Print(line+"\n"), failed)
}

// check reads all blobs.
func (c *command) check(ctx context.Context) error {
	progress := c.NewProgress("checking", "cache")
	defer progress.Close()
	report := func(problem, hint string) {
		c.Note(problem)
		if hint != "" {
			c.Hint(hint)
		}
	}
	return c.cache.Check(ctx, report, progress.Add)
}

// parseAge parses a duration, in which d is a day and w a week.
func parseAge(s string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		digits, ok := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseInt(digits, 10, 32); ok && err == nil {
			s = strconv.FormatInt(n*int64(length/time.Hour), 10) + "h"
		}
	}
	age, err := time.ParseDuration(s)
	if err == nil && age < 0 {
		err = errors.New("negative")
	}
	return age, err
}

// parseSize parses a number of bytes.
func parseSize(s string) (int64, error) {
	size, err := units.RAMInBytes(s)
	if err == nil && size < 0 {
		err = errors.New("too large") // it overflows
	}
	return size, err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
