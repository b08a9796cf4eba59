// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/filter"
	"banger/lib/layout"
	"banger/lib/registry"
	"banger/lib/saved"
)

// options are the flags.
type options struct {
	tool                     *filter.Tool
	platform                 v1.Platform
	retryFor                 *time.Duration
	offline, dryRun, verbose *bool
	verifier                 *string
	hostsDirs, plainHTTP     *[]string
	source                   func() *registry.Source // the same for all images
}

func newOptions(tool *filter.Tool) *options {
	f := tool.Flags
	o := &options{tool: tool, platform: layout.DefaultPlatform}
	f.Func("platform", "pull the image for `OS/ARCH[/VARIANT]` (default linux/amd64)", func(s string) (err error) {
		o.platform, err = layout.ParsePlatform(s)
		return err
	})
	o.retryFor = f.Duration("retry-for", registry.RetryFor, "repeat failed requests for `DURATION`, 0 for never")
	o.offline = f.Bool("offline", false, "use only what is in the cache")
	o.dryRun = f.Bool("dry-run", false, "print what would be fetched, and fetch nothing")
	o.verifier = f.String("verifier", "", "ask the programs in `DIR` whether to pull an image")
	o.hostsDirs = f.StringArray("hosts-dir", nil, "look in `DIR` first for the hosts.toml of a registry")
	o.plainHTTP = f.StringArray("plain-http", nil, "ask `HOST[:PORT]` by plain HTTP")
	o.verbose = f.BoolP("verbose", "v", false, "print the failures of hosts that another one made good")
	o.source = sync.OnceValue(o.newSource)
	return o
}

func (o *options) check() error {
	if *o.retryFor < 0 {
		return filter.Usagef("invalid --retry-for %v", *o.retryFor)
	}
	for _, host := range *o.plainHTTP {
		if err := registry.CheckHost(host); err != nil {
			return filter.Usagef("--plain-http %w", err)
		}
	}
	if o.tool.Flags.Changed("verifier") && *o.verifier == "" {
		return filter.Usagef("--verifier: no directory")
	}
	for _, ref := range o.tool.Flags.Args() {
		if err := o.checkSaved(ref); err != nil {
			return err
		}
	}
	return nil
}

// checkSaved returns an error for a saved image if a flag is set that it must not be
// pulled without.
func (o *options) checkSaved(ref string) error {
	switch {
	case !saved.Is(ref):
	case *o.dryRun:
		return filter.Usagef("--dry-run is for images in registries")
	case *o.verifier != "":
		return filter.Usagef("--verifier is for images in registries")
	}
	return nil
}

func (o *options) newSource() *registry.Source {
	s := registry.NewSource(os.Getenv)
	s.Platform = o.platform
	s.HostsDirs = append(*o.hostsDirs, s.HostsDirs...)
	s.PlainHTTP = *o.plainHTTP
	s.Retry.For = *o.retryFor
	s.Offline = *o.offline
	s.Verifier = *o.verifier
	s.Warn = o.tool.Warn
	if *o.verbose {
		s.Log = func(line string) { o.tool.Detail(filter.Printable(line)) }
	}
	return &s
}

// plan prints what a pull would fetch.
func (o *options) plan(ctx context.Context, dir, ref string) error {
	plan, err := o.source().Plan(ctx, dir, ref)
	if err != nil {
		return err
	}
	platform := "-"
	if plan.Platform.OS != "" {
		platform = layout.PlatformString(plan.Platform)
	}
	rows := [][]string{
		{"image", plan.Reference + "@" + string(plan.Digest), "", ""},
		{"platform", platform, "", ""},
	}
	var total int64
	counted := map[digest.Digest]bool{} // a manifest may list a layer twice
	row := func(kind string, s registry.Step) {
		state := "cached"
		if !s.Cached {
			state = "to fetch"
			if !counted[s.Digest] {
				total += s.Size
			}
			counted[s.Digest] = true
		}
		rows = append(rows, []string{kind, string(s.Digest), units.HumanSize(float64(s.Size)), state})
	}
	row("config", plan.Config)
	for _, layer := range plan.Layers {
		row("layer", layer)
	}
	return o.tool.PrintTable(append(rows, []string{"total", "", units.HumanSize(float64(total)), "to fetch"}))
}
