// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/lib/status"
)

// push makes an image of layers, oldest first, in a new registry, and returns its
// reference by digest.
func push(t *testing.T, arch string, layers ...[]byte) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range layers {
		l := static.NewLayer(raw, types.OCIUncompressedLayer)
		if image, err = mutate.AppendLayers(image, l); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/kernels/test:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return ref.Context().Digest(digest.String()).Name()
}

func imageEntry(ref string) Entry {
	return Entry{Name: "k", Arch: "amd64", KernelVersion: "6.1", Ref: ref}
}

// without returns a layer that removes a file.
func without(t *testing.T, file string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: ".wh." + file, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The layers of an image give the same kernel as a pack.
func TestPullImage(t *testing.T) {
	_, want := pack(t, release)
	below := parts(release)
	below["vmlinux-old"] = parts("5.10")["vmlinux"]
	ref := push(t, "amd64", tarOf(t, below), without(t, "vmlinux-old"))
	u := newUser(t, imageEntry(ref), answer(http.StatusNotFound))
	k, err := u.pull()
	if err != nil {
		t.Fatal(err)
	}
	if k.Release != release || k.Source != ref || !maps.Equal(k.SHA256, want.SHA256) {
		t.Errorf("%+v, packed %v", k.KernelRecord, want.SHA256)
	}
	if got := u.kernels(t); got != "kernels/k" {
		t.Errorf("among the kernels: %s", got)
	}
	if got, said := u.got.Load(), u.said.Load(); got != said || got == 0 {
		t.Errorf("progress: %d of %d bytes", got, said)
	}
}

func TestPullImageFails(t *testing.T) {
	kernel := tarOf(t, parts(release))
	there := push(t, "amd64", kernel)
	gone, _, _ := strings.Cut(there, "@")
	for name, c := range map[string]struct {
		ref   string
		code  status.Code
		words string
	}{
		"not there":        {gone + "@sha256:" + someSum, status.NoInput, ""},
		"without a kernel": {push(t, "amd64", tarOf(t, fstest.MapFS{"x": {}})), status.Bad, "no kernel in it"},
		"of two kernels":   {push(t, "amd64", kernel, tarOf(t, fstest.MapFS{"vmlinux-old": parts("5.10")["vmlinux"]})), status.Bad, "several kernels"},
		"a damaged layer":  {push(t, "amd64", []byte("no tar")), status.Bad, ""},
	} {
		u := newUser(t, imageEntry(c.ref), answer(http.StatusNotFound))
		if _, err := u.pull(); status.Of(err) != c.code || !strings.HasPrefix(err.Error(), "k: ") || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: status %d, %v; want %d, %s", name, status.Of(err), err, c.code, c.words)
		}
		if got := u.kernels(t); got != "" {
			t.Errorf("%s: left %s", name, got)
		}
	}
}

// The architecture in an image's config is not trusted.
func TestPullImageOfAnotherArch(t *testing.T) {
	e := imageEntry(push(t, "arm64", tarOf(t, parts(release))))
	e.Arch = "arm64"
	u := newUser(t, e, answer(http.StatusNotFound))
	if _, err := u.pull(); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "kernel is for amd64, not arm64") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	if got := u.kernels(t); got != "" {
		t.Errorf("left %s", got)
	}
}
