// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCacheNotFile replaces blobs in the cache by other types of files. The
// error has a hint with the command that removes them, and nothing is
// downloaded until then.
func TestCacheNotFile(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	layer, config, manifest := digests(t, smallImage(t))
	for name, create := range map[string]string{
		"a directory": "mkdir -p %s/x", "a fifo": "mkfifo %s", "a link to a directory": "ln -s / %s",
	} {
		for of, victim := range map[string]string{"layer": layer, "config": config, "manifest": manifest} {
			t.Run(name+"/"+of, func(t *testing.T) {
				output(t, u.command("banger-fetch", ref))
				path := blobPath(u.cache(), victim)
				output(t, u.command("sh", "-c", "rm "+path+" && "+fmt.Sprintf(create, path)))
				asked := reg.fetched(victim)
				o := finish(t, u.command("banger-fetch", ref))
				o.failed(t, []int{73}, "banger-fetch: "+ref+": ", path)
				if n := reg.fetched(victim) - asked; n > 0 {
					t.Errorf("requested %d more times", n)
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
