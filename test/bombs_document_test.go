// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestBombDocuments checks that banger-flatten refuses documents of a layout
// that are too large, or decode to much more than their text, and names them.
func TestBombDocuments(t *testing.T) {
	need(t, "time")
	for _, d := range []struct {
		name string
		make func(l rawLayout) (img image, word string)
	}{
		{"a manifest of 8 EiB", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageManifest, `{}`, 1<<63-1)
		}},
		{"a manifest of 5 MiB", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageManifest, `{"schemaVersion":2}`+strings.Repeat(" ", 5<<20), 0)
		}},
		{"layers of nothing", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageManifest, many(`{"schemaVersion":2,"layers":[`, `{},`, `{}]}`), 0)
		}},
		{"layers that are numbers", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageManifest, many(`{"schemaVersion":2,"layers":[`, `1,`, `1]}`), 0)
		}},
		{"an index of nothing", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageIndex, many(`{"schemaVersion":2,"manifests":[`, `{},`, `{}]}`), 0)
		}},
		{"an index of nothing, nested", func(l rawLayout) (image, string) {
			return l.described(v1.MediaTypeImageIndex, many(`{"schemaVersion":2,"x":`, `[`, `1}`), 0)
		}},
		{"a config with a history of nothing", func(l rawLayout) (image, string) {
			config := l.blob(v1.MediaTypeImageConfig, []byte(many(`{"os":"linux","history":[`, `{},`, `{}]}`)))
			return l.index(l.manifest(config)), config.Digest.Encoded()
		}},
		{"an index.json of 10 GiB", func(l rawLayout) (image, string) {
			img := rawImage(l.t, filepath.Join(l.dir, "good"))
			if err := os.Truncate(filepath.Join(img.dir, "index.json"), 10<<30); err != nil {
				l.t.Fatal(err)
			}
			return img, "index.json"
		}},
		{"an index.json of nothing", func(l rawLayout) (image, string) {
			l.write("index.json", []byte(many(`{"schemaVersion":2,"manifests":[`, `{},`, `{}]}`)))
			return image{l.dir, "1"}, "index.json"
		}},
	} {
		t.Run(d.name, func(t *testing.T) {
			u := newUser(t, nobody)
			img, word := d.make(newRawLayout(t, filepath.Join(u.home, "layout")))
			u.defuses(t, img, 0, []string{word})
		})
	}
}

// described writes a document as the layout's image. A size other than 0 goes
// into the descriptor instead of the real one.
func (l rawLayout) described(mediaType, document string, size int64) (img image, digest string) {
	d := l.blob(mediaType, []byte(document))
	if size != 0 {
		d.Size = size
	}
	return l.index(d), d.Digest.Encoded()
}

// many repeats a piece to a document just below the limit of 4 MiB.
func many(front, piece, end string) string {
	return front + strings.Repeat(piece, (4<<20-len(front)-len(end))/len(piece)) + end
}
