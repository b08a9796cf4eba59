// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// BenchmarkVerify verifies the image of BenchmarkMkext4Image, next to the
// lower bound: reading the image once, without holes, and inflating all layers
// once, two at a time.
func BenchmarkVerify(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4", "xargs", "gzip")
	u := newUser(b, uint32(os.Getuid()))
	w := u.grown(b, scaled(70_000), scaled[int64](1_500_000_000))
	made, layout := w.first(b, u), filepath.Join(u.home, "grown")
	floor := fmt.Sprintf("cp --reflink=never --sparse=always %s /dev/null; printf '%%s\\n' %s | xargs -P 2 -n 1 gzip -dc >/dev/null",
		made, strings.Join(layersIn(b, layout, w.bundle), " "))
	c := contest{
		{name: "banger-verify", command: func(string) []string { return []string{"banger-verify", "--against", layout, made} }},
		{name: "reading and inflating", command: func(string) []string { return []string{"sh", "-c", floor} }},
	}
	for b.Loop() {
		c.round(b, u)
	}
	report(b, c)
}

// layersIn returns the paths of the layers that a bundle was made of.
func layersIn(b *testing.B, layout, bundle string) (blobs []string) {
	b.Helper()
	var holds struct{ Layers []v1.Hash }
	fromJSON(b, read(b, filepath.Join(bundle, "image.json")), &holds)
	for _, l := range holds.Layers {
		blobs = append(blobs, blobPath(layout, l.String()))
	}
	return blobs
}
