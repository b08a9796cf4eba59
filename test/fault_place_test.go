// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCacheNotFile puts what is no file in the place of blobs: the message says
// what to remove, nothing is asked for again and again, and the command helps.
func TestCacheNotFile(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	layer, config, manifest := digests(t, smallImage(t))
	for name, make := range map[string]string{
		"a directory": "mkdir -p %s/x", "a fifo": "mkfifo %s", "a link to a directory": "ln -s / %s",
	} {
		for of, victim := range map[string]string{"layer": layer, "config": config, "manifest": manifest} {
			t.Run(name+"/"+of, func(t *testing.T) {
				output(t, u.command("banger-fetch", ref))
				path := blobPath(u.cache(), victim)
				output(t, u.command("sh", "-c", "rm "+path+" && "+fmt.Sprintf(make, path)))
				asked := reg.fetched(victim)
				o := finish(t, u.command("banger-fetch", ref))
				o.failed(t, []int{73}, "banger-fetch: "+ref+": ", path)
				if n := reg.fetched(victim) - asked; n > 0 {
					t.Errorf("asked for %d times more", n)
				}
				_, command, _ := strings.Cut(o.stderr, "hint: ")
				if !strings.HasPrefix(command, "rm ") {
					t.Fatalf("hint %q", command)
				}
				output(t, u.command("sh", "-c", command))
				output(t, u.command("banger-fetch", ref))
				cacheGood(t, u.cache())
			})
		}
	}
	nothingLeft(t, u.home)
}
