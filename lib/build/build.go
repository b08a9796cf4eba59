// SPDX-License-Identifier: Apache-2.0

// Package build makes an image by a script that runs in a machine of another image.
package build

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"banger/lib/bundle"
	"banger/lib/machine"
	"banger/lib/status"
	"banger/lib/store"
)

// A Build is one run of a script.
type Build struct {
	Store   *store.Store
	From    string // the parent
	Name    string // of the image to be made
	Replace bool   // an existing image of that name
	Size    int64  // bytes of its disk, 0 for those of the parent's
	Script  *Script
	Args    []string // of the script
	Logs    string   // the directory of the console's logs, NAME.log

	// Machine is the machine's boot but for its image and its disk. Stdout gets what
	// the console prints.
	Machine machine.Boot
}

// Run makes the image and publishes it. If the script fails, the error has its exit
// status. If anything fails, or ctx ends, nothing is published, and the console's
// log is kept, if the console has printed anything.
func (b *Build) Run(ctx context.Context) (image *store.Image, err error) {
	draft, err := b.Store.Draft(b.Name, b.From, b.Size, b.Replace, bundle.Script{SHA256: b.Script.sum(), Args: b.Args})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.Logs, b.Name+".log")
	console, before := new(log), findOldLog(path)
	image, err = b.make(ctx, draft, console)
	draft.Discard() // where there was no space, the log now has some
	if err == nil || console.empty() {
		before.remove()
		return image, err
	}
	if e := console.keep(path); e != nil {
		b.Machine.Note(fmt.Sprintf("%s: the console's log cannot be kept: %v", b.Name, e), "")
		return nil, err
	}
	if ctx.Err() != nil { // the caller does not report the error then
		b.Machine.Note(fmt.Sprintf("%s: interrupted, nothing published; the console's log is %s", b.Name, path), "")
	}
	return nil, fmt.Errorf("%s: nothing published: %w; the console's log is %s", b.Name, err, path)
}

// make runs the script on the draft, and publishes it.
func (b *Build) make(ctx context.Context, draft *store.Draft, console io.Writer) (*store.Image, error) {
	boot := &b.Machine
	boot.Image, boot.Stdout = draft.Parent, io.MultiWriter(boot.Stdout, console)
	boot.Network = true
	boot.Guest.Args, boot.Guest.Build = b.Script.run(b.Args), true
	boot.Build = &machine.Build{Name: b.Name, Script: b.Script.text, Disk: func(ctx context.Context) (string, error) {
		return draft.Rootfs, draft.Copy(ctx)
	}}
	code, err := boot.Run(ctx)
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, status.Errorf(status.Code(code), "the script's exit status is %d", code)
	}
	return draft.Publish(ctx, time.Now(), boot.Init)
}
