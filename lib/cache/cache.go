// SPDX-License-Identifier: Apache-2.0

// Package cache lists the images of the cache, removes what is not needed, and finds
// damaged blobs, while other processes fetch and read images.
//
// The policy of removal:
//
//   - A named entry of index.json stays, with all that it leads to, and with all that
//     the index leads to that its name led to: the image for another platform is found
//     there.
//   - A manifest that a process has locked, and a digest that a process has leased,
//     stay with what they lead to (lib/layout, lock.go).
//   - What is not named stays for 24 hours after its last use. That bridges the time
//     between two tools of a pipe, and other programs that write into a layout, which
//     write index.json last.
//   - Named entries are removed only if the user asks for it: by name, by age, or
//     by size, the one that was used longest ago first. To make room, no image is
//     removed that was used in the last hour.
//   - If what a named entry leads to cannot be read, nothing is removed: it is not
//     known what is needed.
//
// index.json is written before a blob is removed to which it led. Of what an entry
// led to, manifests are removed before layers. So a process that is killed leaves only
// blobs that nothing needs, and the next run removes them. A full disk is the exception
// (setIndex).
package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// grace is how long what has no name stays after its last use.
const grace = 24 * time.Hour

// busy is how long an image stays after its last use that could be removed to make
// room.
const busy = time.Hour

// A Cache is the layout that banger-fetch fills.
type Cache struct {
	layout *layout.Layout // nil if there is none yet
	warn   func(string)
}

// Open opens the cache in a directory. If it does not exist, or the first fetch has only
// begun to make it, the cache is empty. Warn is called for what does not end a command.
func Open(dir string, warn func(string)) (*Cache, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || layout.IsBegun(dir) {
		return &Cache{nil, warn}, nil
	}
	l, err := layout.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Cache{l, warn}, nil
}

// checkIndex returns an error if banger-fetch has renamed a damaged index.json: the
// images in it are not known to be needed.
func (c *Cache) checkIndex() error {
	files, err := os.ReadDir(c.layout.Dir())
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), v1.ImageIndexFile+".damaged-") {
			path := filepath.Join(c.layout.Dir(), f.Name())
			return status.Hint(status.Errorf(status.Bad, "%s: a damaged index.json, whose images may still be needed", path),
				"fetch the images that you need again, which downloads no blob that is there; then remove the file")
		}
	}
	return nil
}
