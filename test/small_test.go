// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// smallImage is an image of three layers for linux/amd64: about 3 MB that do
// not compress, in about 300 entries. It has one of everything that the
// pipeline must carry: hard links within a layer and to a lower one, symlinks,
// devices, a fifo, xattrs, a setuid file, an unreadable one, odd names,
// whiteouts, an init. Its bytes are always the same.
func smallImage(t testing.TB) v1.Image {
	t.Helper()
	return smallLayers(t, smallBase(t), smallMiddle(t), smallTop(t))
}

// smallVariant is smallImage with a fourth layer that is unique to n.
func smallVariant(t testing.TB, n int) v1.Image {
	t.Helper()
	var own smallTar
	own.file("etc/variant", 0o644, fmt.Appendf(nil, "%d\n", n))
	own.file("usr/lib/own", 0o755, smallNoise(uint64(1000+n), 100_000))
	return smallLayers(t, smallBase(t), smallMiddle(t), smallTop(t), own.layer(t))
}

// smallFor is smallImage with a config for another platform.
func smallFor(t testing.TB, p v1.Platform) v1.Image {
	t.Helper()
	img := smallImage(t)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// smallLayers returns an OCI image of the layers, oldest first, and a config
// that starts /sbin/init.
func smallLayers(t testing.TB, layers ...v1.Layer) v1.Image {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		Created: v1.Time{Time: smallTime},
		Config:  v1.Config{Cmd: []string{"/sbin/init"}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
		RootFS:  v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layers...); err != nil {
		t.Fatal(err)
	}
	return img
}

func smallBase(t testing.TB) v1.Layer {
	var w smallTar
	for _, dir := range []string{"./", "bin/", "dev/", "etc/", "proc/", "run/", "sbin/", "sys/", "tmp/", "usr/", "usr/lib/", "usr/share/", "var/", "var/cache/"} {
		w.add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, nil)
	}
	w.add(tar.Header{Typeflag: tar.TypeDir, Name: "root/", Mode: 0o700}, nil)
	w.file("sbin/init", 0o755, []byte("#!/bin/sh\nexec /bin/sh\n"))
	w.file("bin/sh", 0o755, elfHeader(0))
	w.file("bin/su", 0o4755, smallNoise(1, 60_000))
	w.file("etc/gshadow", 0, []byte("root:*::\n"))
	w.file("etc/odd name\n\xff\"'\\", 0o644, []byte("odd\n"))
	w.file("usr/lib/big", 0o755, smallNoise(2, 1_500_000))
	w.file("usr/lib/zeros", 0o644, make([]byte, 1<<20))
	w.link(tar.TypeLink, "usr/lib/big-too", "usr/lib/big")
	w.link(tar.TypeLink, "usr/lib/big-three", "/usr/lib/big")
	w.link(tar.TypeSymlink, "lib", "usr/lib")
	w.link(tar.TypeSymlink, "etc/away", "/../../nowhere")
	w.add(tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3}, nil)
	w.add(tar.Header{Typeflag: tar.TypeBlock, Name: "dev/vda", Mode: 0o660, Gid: 6, Devmajor: 254}, nil)
	w.add(tar.Header{Typeflag: tar.TypeFifo, Name: "dev/initctl", Mode: 0o600}, nil)
	w.add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/ping", Mode: 0o755, PAXRecords: map[string]string{
		"SCHILY.xattr.security.capability": smallCapability,
		"SCHILY.xattr.user.comment":        "caf\xc3\xa9\x00",
	}}, smallNoise(3, 40_000))
	for i := range 120 {
		w.file(fmt.Sprintf("usr/share/%03d", i), 0o644, smallNoise(uint64(100+i), 77*i))
	}
	for i := range 50 {
		w.file(fmt.Sprintf("var/cache/%02d", i), 0o640, smallNoise(uint64(300+i), 1000))
	}
	return w.layer(t)
}

// smallMiddle removes and replaces files.
func smallMiddle(t testing.TB) v1.Layer {
	var w smallTar
	w.file("var/cache/.wh..wh..opq", 0, nil)
	w.file("var/cache/new", 0o644, []byte("new\n"))
	w.file("usr/share/.wh.000", 0, nil)
	w.link(tar.TypeLink, "usr/lib/big-four", "usr/lib/big")
	w.file("usr/share/001", 0o600, []byte("another\n"))
	w.file("lib/through", 0o644, []byte("a link in the way\n"))
	return w.layer(t)
}

// smallTop has the most files and the second largest blob.
func smallTop(t testing.TB) v1.Layer {
	var w smallTar
	for i := range 100 {
		w.file(fmt.Sprintf("opt/%02d/data", i), 0o644, smallNoise(uint64(500+i), 10_000))
	}
	return w.layer(t)
}

// smallTime is the image's time. Its files are slightly older.
var smallTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// smallCapability is cap_net_raw=ep as stored in security.capability.
var smallCapability = func() string {
	b, err := base64.StdEncoding.DecodeString("AQAAAgAgAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		panic(err)
	}
	return string(b)
}()

// smallNoise returns size incompressible bytes.
func smallNoise(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	if _, err := io.ReadFull(rand.NewChaCha8(key), b); err != nil {
		panic(err)
	}
	return b
}

// A smallTar collects the entries of a layer.
type smallTar struct{ buf bytes.Buffer }

// add appends an entry.
func (w *smallTar) add(h tar.Header, content []byte) {
	h.Size = int64(len(content))
	h.ModTime = smallTime.Add(-123456789 * time.Nanosecond)
	h.Format = tar.FormatPAX
	tw := tar.NewWriter(&w.buf)
	if err := tw.WriteHeader(&h); err != nil {
		panic(err)
	}
	if _, err := tw.Write(content); err != nil {
		panic(err)
	}
	if err := tw.Flush(); err != nil {
		panic(err)
	}
}

func (w *smallTar) file(name string, mode int64, content []byte) {
	w.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (w *smallTar) link(kind byte, name, target string) {
	w.add(tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}, nil)
}

// layer ends the archive and compresses it with gzip.
func (w *smallTar) layer(t testing.TB) v1.Layer {
	t.Helper()
	archive := append(w.buf.Bytes(), make([]byte, 1024)...)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}
