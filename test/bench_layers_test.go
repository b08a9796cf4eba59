// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// inTurn is the number of copies of a minimal Debian in the layers of an
// image, repeating: the largest layer holds less than half of the image.
var inTurn = []int{3, 1, 2}

// layered returns an image of a minimal Debian with layers of copies of it on
// top, until these have the number of entries and the size. Each layer begins
// with whiteouts of files in the copy below. (The suite's own image has
// entries that tar and go-containerregistry cannot extract.)
func (u user) layered(b *testing.B, entries int, size int64) image {
	b.Helper()
	base, layer := bootstrap(b), filepath.Join(u.home, "layer.tar")
	i := makeImage(b, filepath.Join(u.home, "layered"), "bookworm", base)
	for n, next := 0, 0; entries > 0 || size > 0; n++ {
		writeTar(b, layer, func(to *tar.Writer) error {
			if err := writeWhiteouts(to, next-1); err != nil {
				return err
			}
			for last := next + inTurn[n%len(inTurn)]; next < last && (entries > 0 || size > 0); next++ {
				have, held, err := copyTar(to, base, fmt.Sprintf("srv/copy-%d", next))
				if err != nil {
					return err
				}
				entries, size = entries-have, size-held
			}
			return nil
		})
		output(b, exec.Command("umoci", "raw", "add-layer", "--image", i.String(), layer))
	}
	if err := os.Remove(layer); err != nil {
		b.Fatal(err)
	}
	return i
}

// writeWhiteouts removes the manuals, translations and apt's files of a copy.
func writeWhiteouts(w *tar.Writer, copied int) error {
	if copied < 0 {
		return nil
	}
	for _, name := range []string{
		"usr/share/.wh.doc", "usr/share/.wh.man", "usr/share/.wh.locale", "var/lib/apt/.wh..wh..opq", "var/cache/.wh..wh..opq",
	} {
		if err := writeEntry(w, tar.TypeReg, fmt.Sprintf("srv/copy-%d/%s", copied, name), nil); err != nil {
			return err
		}
	}
	return nil
}

// plain returns the image with uncompressed layers.
func (i image) plain(b *testing.B, dir string) image {
	b.Helper()
	unpacked := image{filepath.Join(dir, "plain"), i.tag}
	skopeo(b, "copy", "--quiet", "--dest-decompress", "oci:"+i.String(), "dir:"+filepath.Join(dir, "blobs"))
	skopeo(b, "copy", "--quiet", "--dest-oci-accept-uncompressed-layers", "dir:"+filepath.Join(dir, "blobs"), "oci:"+unpacked.String())
	if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
		b.Fatal(err)
	}
	return unpacked
}

// blobs returns the paths of the image's layers, the lowest first, and of the
// largest.
func (i image) blobs(b *testing.B) (paths []string, largest string) {
	b.Helper()
	var m v1.Manifest
	fromJSON(b, inspect(b, "oci:"+i.String()), &m)
	var size int64
	for _, l := range m.Layers {
		path := filepath.Join(i.dir, "blobs", l.Digest.Algorithm().String(), l.Digest.Encoded())
		paths = append(paths, path)
		if l.Size > size {
			size, largest = l.Size, path
		}
	}
	return paths, largest
}
