// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"time"
)

// A Build is a script that a machine runs in place of what its image runs, on a
// disk that is to become an image. The machine's Spec has the command that runs the
// script, with guest.Machine.Build set.
type Build struct {
	Name   string // of the image to be made: the machine gets it, if it has no other
	Script []byte // for guest.ScriptPath
	// Disk makes the disk, anew for each attempt, and returns its path.
	Disk func(ctx context.Context) (path string, err error)
}

// buildPatience is how long the guest of a build may take to end when it is asked
// to: its disk is thrown away.
const buildPatience = 5 * time.Second

// driveOptions are QEMU's for the disk of a build: what the guest discards, or
// fills with zeros, becomes a hole. The disk is synced when it is published, and not
// before.
const driveOptions = ",discard=unmap,detect-zeroes=unmap,cache=unsafe"

// diskOfBuild makes the disk of a build.
func (b *Boot) diskOfBuild(ctx context.Context) (err error) {
	if b.disk, err = b.Build.Disk(ctx); err != nil {
		return err
	}
	return b.current()
}
