// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestBombs checks that banger-flatten refuses bombs, naming the layer's
// digest, before they cost memory, disk or time.
func TestBombs(t *testing.T) {
	need(t, "time")
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			u := newUser(t, nobody)
			blob := b.blob()
			img := rawImage(t, filepath.Join(u.home, "layout"), rawArchive(blob)) // the DiffID is wrong, but few are read to the end
			u.defuses(t, img, b.memory, append(b.words, digest.FromBytes(blob).Encoded()[:12]), b.flags...)
		})
	}
}

// A bomb is a layer.
type bomb struct {
	name   string
	blob   func() []byte
	words  []string // in the message, with the layer's digest
	memory int      // limit in MiB; 0: bombMemory
	flags  []string
}

// bombMemory is the memory limit of a run in MiB, program included.
const bombMemory = 150

// defuses fails the test unless banger-flatten refuses an image as bad (65),
// within the memory limit in MiB, and leaves no files.
func (u user) defuses(t *testing.T, img image, memory int, words []string, flags ...string) {
	t.Helper()
	report := filepath.Join(u.home, "time")
	cmd := u.command("banger-flatten", append(flags, "-o", "bundle", img.String())...)
	cmd.Args = append([]string{"time", "-q", "-o", report, "-f", "%M", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = which("time") // a direct child would be charged with this process's memory
	finish(t, cmd).failed(t, []int{65}, "banger-flatten", words...)
	var kib int
	if _, err := fmt.Sscan(read(t, report), &kib); err != nil {
		t.Fatal(err)
	}
	if memory == 0 {
		memory = bombMemory
	}
	t.Logf("%d MiB", kib>>10)
	if kib>>10 > memory {
		t.Errorf("took %d MiB of memory, limit %d", kib>>10, memory)
	}
	if names := list(t, u.home); !slices.Equal(names, []string{"layout", "time"}) {
		t.Errorf("left behind: %q", names)
	}
}
