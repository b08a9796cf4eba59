// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A fake is a registry with one image of one layer, x:1. It keeps what it is asked.
type fake struct {
	server                  *httptest.Server
	manifest, config, layer []byte
	// before answers a request, or returns false to leave it to the registry.
	before func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	asked []*http.Request
}

// newFake starts a fake whose layer has a number of bytes, by plain HTTP.
func newFake(t *testing.T, size int) *fake {
	t.Helper()
	f := newStoppedFake(t, size)
	f.server.Start()
	return f
}

func newStoppedFake(t *testing.T, size int) *fake {
	t.Helper()
	f := &fake{layer: bytes.Repeat([]byte("0123456789abcdef"), size/16)}
	marshal := func(v any) []byte {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	f.config = marshal(v1.Image{
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(f.layer)}},
	})
	describe := func(mediaType string, raw []byte) v1.Descriptor {
		return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	}
	f.manifest = marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: describe(v1.MediaTypeImageConfig, f.config),
		Layers: []v1.Descriptor{describe(v1.MediaTypeImageLayer, f.layer)},
	})
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) host() string { return f.server.Listener.Addr().String() }
func (f *fake) ref() string  { return f.host() + "/x:1" }

// pinned is the image by the digest of its manifest.
func (f *fake) pinned() string { return f.host() + "/x@" + string(digest.FromBytes(f.manifest)) }

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	f.mu.Unlock()
	if f.before != nil && f.before(w, r) {
		return
	}
	f.answer(w, r)
}

// answer answers as an honest registry.
func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	for _, raw := range [][]byte{f.manifest, f.config, f.layer} {
		d := digest.FromBytes(raw)
		if last != string(d) && (last != "1" || !bytes.Equal(raw, f.manifest)) {
			continue
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		if bytes.Equal(raw, f.manifest) {
			w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
		}
		w.Header().Set("Docker-Content-Digest", string(d))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// requests returns what was asked since the last call, as METHOD KIND. Those of the
// config and the layer, which are sent at the same time, are in this order.
func (f *fake) requests() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.asked {
		all = append(all, r.Method+" "+f.kind(r))
	}
	f.asked = nil
	for i := range len(all) - 1 {
		if all[i] == "GET layer" && all[i+1] == "GET config" {
			all[i], all[i+1] = all[i+1], all[i]
		}
	}
	return all
}

// kind names what a request is for.
func (f *fake) kind(r *http.Request) string {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	for name, raw := range map[string][]byte{"manifest": f.manifest, "config": f.config, "layer": f.layer} {
		if last == string(digest.FromBytes(raw)) {
			return name
		}
	}
	return last
}

// isLayer reports whether a request is for the layer.
func (f *fake) isLayer(r *http.Request) bool { return f.kind(r) == "layer" }

// mirrors makes hosts of hosts.toml those of a registry.
func mirrors(t *testing.T, s *Source, registry, text string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir+"/"+registry+"/hosts.toml", text)
	s.HostsDirs = []string{dir}
}

// logOf makes a source log, and returns a function that returns the lines.
func logOf(s *Source) func() []string {
	var mu sync.Mutex
	var lines []string
	s.Log = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, text)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}

// same fails the test unless requests are as expected.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: asked %q, want %q", what, got, want)
	}
}
