// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// A first pull asks for everything once. A pull of a tag that has not moved is one HEAD.
func TestRequests(t *testing.T) {
	f, s, dir := newFake(t, 1<<10), newTestSource(t), t.TempDir()
	if _, err := pullInto(t, dir, s, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "first", f.requests(), "GET 1", "GET config", "GET layer")
	ref, err := pullInto(t, dir, newTestSource(t), f.ref())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "again", f.requests(), "HEAD 1")
	if _, err := pullInto(t, dir, newTestSource(t), f.host()+"/x@"+string(ref.Digest)); err != nil {
		t.Fatal(err)
	}
	same(t, "by digest", f.requests())
}

// The config and the layers are fetched at the same time. If the image turns out to be
// for another platform, nothing is left of a layer.
func TestUnsuitable(t *testing.T) {
	f, s, dir := newFake(t, 1<<20), newTestSource(t), t.TempDir()
	begun := make(chan struct{})
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch f.kind(r) {
		case "config":
			<-begun
		case "layer":
			w.Header().Set("Content-Length", fmt.Sprint(len(f.layer)))
			w.Write(f.layer[:1<<19])
			http.NewResponseController(w).Flush()
			close(begun)
			<-r.Context().Done()
			return true
		}
		return false
	}
	s.Platform.Architecture = "s390x"
	if _, err := pullInto(t, dir, s, f.ref()); status.Of(err) != status.NoInput || !strings.Contains(err.Error(), "no image for linux/s390x") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	for _, path := range []string{"ingest", "blobs/sha256"} {
		entries, err := os.ReadDir(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			if path == "ingest" || strings.HasSuffix(string(digest.FromBytes(f.layer)), e.Name()) {
				t.Errorf("left %s/%s", path, e.Name())
			}
		}
	}
}

// newPulled returns a registry, and a layout that has its image.
func newPulled(t *testing.T) (f *fake, dir string) {
	t.Helper()
	f, dir = newFake(t, 16), t.TempDir()
	if _, err := pullInto(t, dir, newTestSource(t), f.ref()); err != nil {
		t.Fatal(err)
	}
	f.requests()
	return f, dir
}

// A host that does not know HEAD, or does not say the digest, is asked for the manifest.
func TestNoHead(t *testing.T) {
	for name, code := range map[string]int{"not allowed": http.StatusMethodNotAllowed, "no digest": http.StatusOK} {
		f, dir := newPulled(t)
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.WriteHeader(code)
			}
			return r.Method == http.MethodHead
		}
		if _, err := pullInto(t, dir, newTestSource(t), f.ref()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, f.requests(), "HEAD 1", "GET 1")
	}
}

// The words of a registry are those of the answer to a GET. There is none for a limit.
func TestWords(t *testing.T) {
	for code, want := range map[int]string{http.StatusNotFound: "HEAD 1, GET 1", http.StatusTooManyRequests: "HEAD 1"} {
		f, dir := newPulled(t)
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			w.Write([]byte(`{"errors":[{"code":"NAME_UNKNOWN"}]}`))
			return true
		}
		_, err := pullInto(t, dir, newTestSource(t), f.ref())
		same(t, http.StatusText(code), f.requests(), strings.Split(want, ", ")...)
		if code == http.StatusNotFound && (err == nil || !strings.Contains(err.Error(), "no such repository")) {
			t.Error(err)
		}
	}
}

// A manifest that is there stays the same file, which its readers have locked.
func TestManifestStays(t *testing.T) {
	f, dir := newFake(t, 16), t.TempDir()
	if _, err := pullInto(t, dir, newTestSource(t), f.ref()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "blobs/sha256", digest.FromBytes(f.manifest).Encoded())
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	other := newTestSource(t)
	other.Platform.Architecture = "arm64"
	if _, err := pullInto(t, dir, other, f.ref()); status.Of(err) != status.NoInput {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("replaced, %v", err)
	}
}

// What is temporary is repeated, as long as the server allows it in time.
func TestRepeated(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	s.Retry.For, s.patience = time.Minute, 0
	var warned []string
	s.Warn = func(text string) { warned = append(warned, text) }
	var asked atomic.Int32
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "trying again") {
		t.Errorf("warned %q", warned)
	}
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	f.requests()
	_, err := pullInto(t, t.TempDir(), s, f.ref())
	if status.Of(err) != status.Temporary || !strings.Contains(status.HintOf(err), "run it again at 2") {
		t.Errorf("status %d, %v, hint %q", status.Of(err), err, status.HintOf(err))
	}
	same(t, "a limit", f.requests(), "GET 1")
}

// Who compresses what is to be sent as it is, is not believed.
func TestContentEncoding(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding: %q", r.Header.Get("Accept-Encoding"))
		}
		if f.isLayer(r) {
			w.Header().Set("Content-Encoding", "gzip")
		}
		return false
	}
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
}

// Documents come over HTTP/2 where it is offered, blobs over connections of their own.
func TestProtocols(t *testing.T) {
	f, s := newStoppedFake(t, 16), newTestSource(t)
	f.server.EnableHTTP2 = true
	f.server.StartTLS()
	trust(t, s, f.server)
	got := map[string]string{}
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		got[f.kind(r)] = r.Proto
		return false
	}
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"1": "HTTP/2.0", "config": "HTTP/1.1", "layer": "HTTP/1.1"} {
		if got[kind] != want {
			t.Errorf("%s: %s, want %s", kind, got[kind], want)
		}
	}
}

// Plain HTTP is for loopback addresses, and for hosts that were named.
func TestPlainHTTP(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	for host, want := range map[string]bool{
		"127.0.0.1": true, "localhost": true, "::1": true, "x.localhost": true,
		"10.0.0.1": false, "192.168.1.1": false, "printer.local": false, "example.com": false, "localhost.example": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	c, err := s.clientsOf(registryOf(t, "registry.example:5000"))
	if err != nil || c[0].isPlain() || c[0].fallback {
		t.Errorf("not named: %v", err)
	}
	s.PlainHTTP = []string{f.host(), "named.example:5000"}
	if c, err = s.clientsOf(registryOf(t, "named.example:5000")); err != nil || !c[0].isPlain() {
		t.Errorf("named: %v", err)
	}
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Error(err)
	}
}

// What is not cached is not asked for.
func TestOffline(t *testing.T) {
	f, dir := newFake(t, 16), t.TempDir()
	s := newTestSource(t)
	s.Offline = true
	_, err := pullInto(t, dir, s, f.ref())
	if status.Of(err) != status.NoInput || status.HintOf(err) == "" {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	ref, err := pullInto(t, dir, newTestSource(t), f.ref())
	if err != nil {
		t.Fatal(err)
	}
	f.requests()
	for _, name := range []string{f.ref(), f.host() + "/x@" + string(ref.Digest)} {
		if got, err := pullInto(t, dir, s, name); err != nil || got.Digest != ref.Digest {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := pullInto(t, dir, s, f.host()+"/x:2"); status.Of(err) != status.NoInput {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	same(t, "offline", f.requests())
}

// A plan names what is to be fetched, and nothing is written.
func TestPlan(t *testing.T) {
	f, dir, s := newFake(t, 32), t.TempDir()+"/oci", newTestSource(t)
	plan, err := s.Plan(t.Context(), dir, f.ref())
	if err != nil || plan.Reference != f.ref() || plan.Layers[0].Size != 32 || plan.Layers[0].Cached || plan.Platform.Architecture != "amd64" {
		t.Errorf("%+v, %v", plan, err)
	}
	same(t, "a plan", f.requests(), "GET 1", "GET config")
	ref, err := pullInto(t, dir, s, f.ref())
	if err != nil {
		t.Fatal(err)
	}
	f.requests()
	plan, err = s.Plan(t.Context(), dir, f.ref())
	if err != nil || !plan.Layers[0].Cached || !plan.Config.Cached || plan.Digest != ref.Digest {
		t.Errorf("%+v, %v", plan, err)
	}
	same(t, "a plan of what is cached", f.requests(), "HEAD 1")
}
