// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/lib/layout"
	"banger/lib/status"
)

// A mirror is asked first, and told the registry. What it cannot do the registry does.
func TestMirror(t *testing.T) {
	for name, c := range map[string]struct {
		before func(m *fake, w http.ResponseWriter, r *http.Request) bool
		own    []string // what the registry is asked
		logged bool
		pinned bool // pulled by digest
	}{
		"good": {nil, nil, false, false},
		"has nothing": {func(_ *fake, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusNotFound)
			return true
		}, []string{"GET 1", "GET config", "GET layer"}, true, false},
		"fails": {func(_ *fake, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, []string{"GET 1", "GET config", "GET layer"}, true, false},
		"sends wrong bytes": {func(m *fake, w http.ResponseWriter, r *http.Request) bool {
			if m.isLayer(r) {
				w.Write(make([]byte, len(m.layer)))
			}
			return m.isLayer(r)
		}, []string{"GET layer"}, true, false},
		"sends another manifest": {func(m *fake, w http.ResponseWriter, r *http.Request) bool {
			if m.kind(r) == "manifest" {
				w.Write(append(m.manifest, ' '))
			}
			return m.kind(r) == "manifest"
		}, []string{"GET manifest"}, true, true},
		"cuts": {func(m *fake, w http.ResponseWriter, r *http.Request) bool {
			if !m.isLayer(r) {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(m.layer)))
			w.Write(m.layer[:4])
			return true
		}, []string{"GET layer"}, true, false},
	} {
		f, m, s := newFake(t, 64), newFake(t, 64), newTestSource(t)
		m.before = func(w http.ResponseWriter, r *http.Request) bool {
			if ns := r.URL.Query().Get("ns"); ns != f.host() {
				t.Errorf("%s: ns is %q", name, ns)
			}
			return c.before != nil && c.before(m, w, r)
		}
		f.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.RawQuery != "" {
				t.Errorf("%s: the registry is asked with %q", name, r.URL.RawQuery)
			}
			return false
		}
		mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\n", "http://"+f.host(), m.server.URL))
		log := logOf(s)
		ref := f.ref()
		if c.pinned {
			ref = f.pinned()
		}
		if _, err := pullInto(t, t.TempDir(), s, ref); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, f.requests(), c.own...)
		logged := log()
		if (len(logged) > 0) != c.logged || c.logged && !strings.HasPrefix(logged[0], m.host()+": ") {
			t.Errorf("%s: logged %q", name, logged)
		}
	}
}

// A mirror that may only be pulled from is not asked for a tag, and nothing is pulled
// from one that may only resolve. The root of its API may be any path.
func TestCapabilities(t *testing.T) {
	f, m, s := newFake(t, 64), newFake(t, 64), newTestSource(t)
	m.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/cache/x/") {
			t.Errorf("asked for %s", r.URL.Path)
		}
		return false
	}
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\noverride_path = true\ncapabilities = [\"pull\"]\n", "http://"+f.host(), m.server.URL+"/cache"))
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "registry", f.requests(), "GET 1")
	same(t, "mirror", m.requests(), "GET config", "GET layer")
	s = newTestSource(t)
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\noverride_path = true\ncapabilities = [\"resolve\"]\n", "http://"+f.host(), m.server.URL+"/cache"))
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "registry", f.requests(), "GET manifest", "GET config", "GET layer")
	same(t, "mirror that resolves", m.requests(), "HEAD 1")
	mirrors(t, s, "x.example", "capabilities = [\"pull\"]\n")
	if _, err := pullInto(t, t.TempDir(), s, "x.example/x:1"); status.Of(err) != status.Usage || !strings.Contains(err.Error(), "resolve") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
}

// A mirror that cannot be connected to is tried once in a run, and the error is that of
// the registry.
func TestDeadMirror(t *testing.T) {
	f, s := newFake(t, 64), newTestSource(t)
	dead := newFake(t, 16)
	dead.server.Close()
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\n", "http://"+f.host(), dead.server.URL))
	log := logOf(s)
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	if logged := log(); len(logged) != 1 {
		t.Errorf("tried, and logged %q", logged)
	}
	_, err := pullInto(t, t.TempDir(), s, f.host()+"/other:2")
	if status.Of(err) != status.NoInput || !strings.Contains(err.Error(), f.host()) {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
}

// So is a mirror whose token server cannot be connected to.
func TestDeadTokenServer(t *testing.T) {
	f, m, s := newFake(t, 64), newFake(t, 64), newTestSource(t)
	dead := newFake(t, 16)
	dead.server.Close()
	m.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="s"`, dead.server.URL))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\n", "http://"+f.host(), m.server.URL))
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "mirror", m.requests(), "GET 1")
}

// A mirror whose storage cannot be connected to is not dead, and what the registry is
// asked for in its place is no warning, if several blobs are.
func TestMirrorOfDeadStorage(t *testing.T) {
	f, m, s := newFake(t, 64), newFake(t, 64), newTestSource(t)
	dead := newFake(t, 16)
	dead.server.Close()
	isBlob := func(r *http.Request) bool { return f.kind(r) != "1" }
	m.before = func(w http.ResponseWriter, r *http.Request) bool {
		if isBlob(r) {
			redirect(dead.server.URL+"/blob")(w, r)
		}
		return isBlob(r)
	}
	var both sync.WaitGroup // have failed before one succeeds
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if isBlob(r) {
			both.Done()
			both.Wait()
		}
		return false
	}
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\n", "http://"+f.host(), m.server.URL))
	s.Retry.For, s.patience = time.Minute, 0
	s.Warn = func(text string) { t.Errorf("warned %q", text) }
	for range 2 {
		both.Add(2)
		if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
			t.Fatal(err)
		}
		same(t, "mirror", m.requests(), "GET 1", "GET config", "GET layer")
		same(t, "registry", f.requests(), "GET config", "GET layer")
	}
}

// A file that is broken is not passed over.
func TestBrokenHosts(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	mirrors(t, s, f.host(), "server = \n")
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); status.Of(err) != status.Usage || !strings.Contains(err.Error(), "hosts.toml:1") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	same(t, "broken", f.requests())
}

// The URL that a blob is redirected to is used for its ranges, and asked for again when
// it has expired; three times without progress.
func TestExpired(t *testing.T) {
	const size = 32 << 20 // several segments
	for name, c := range map[string]struct {
		lives   int // how many requests a URL answers
		max     int // how often the registry may be asked
		refused bool
	}{
		"lasts": {1 << 30, 1, false}, "expires": {1, 8, false}, "is no good": {0, 1 + maxExpired, true},
	} {
		f, s := newFake(t, size), newTestSource(t)
		var mu sync.Mutex
		urls, left := 0, map[string]int{} // the requests that each URL still answers
		storage := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			good := left[r.URL.RawQuery] > 0
			left[r.URL.RawQuery]--
			mu.Unlock()
			if !good {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			f.answer(w, r)
		})
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if !f.isLayer(r) {
				return false
			}
			mu.Lock()
			defer mu.Unlock()
			urls++
			query := fmt.Sprint("signature=secret", urls)
			left[query] = c.lives
			redirect(storage.URL+r.URL.Path+"?"+query)(w, r)
			return true
		}
		_, err := pullInto(t, t.TempDir(), s, f.ref())
		if c.refused != (status.Of(err) == status.Refused) || err != nil && strings.Contains(err.Error(), "secret") || err != nil && !c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if urls > c.max {
			t.Errorf("%s: the registry was asked %d times", name, urls)
		}
	}
}

// A URL that expires for several requests at a time has expired once. One that leads
// to a URL that has expired has expired, too.
func TestExpiredTogether(t *testing.T) {
	h := &blobHost{}
	h.remember(&url.URL{Path: "/1"})
	asked := h.known()
	for range 8 {
		if !h.forget(asked) || h.known() != nil {
			t.Fatal("the registry is not asked again")
		}
	}
	for n := range maxExpired {
		if again := h.forget(nil); again != (n < maxExpired-1) {
			t.Errorf("URL %d: asked again: %v", n+2, again)
		}
	}
}

// Pulls that run at the same time fetch each blob once.
func TestShared(t *testing.T) {
	f, dir := newFake(t, 64), t.TempDir()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			to, err := layout.NewWriter(t.Context(), dir, func(text string) { t.Error(text) })
			if err != nil {
				t.Error(err)
				return
			}
			defer to.Close()
			var total, done int64
			var mu sync.Mutex
			_, err = newTestSource(t).Pull(t.Context(), to, f.ref(), func(more, n int64) {
				mu.Lock()
				defer mu.Unlock()
				total, done = total+more, done+n
			})
			if err != nil || total != done {
				t.Errorf("%v, %d of %d bytes", err, done, total)
			}
		})
	}
	group.Wait()
	asked := map[string]int{}
	for _, r := range f.requests() {
		asked[r]++
	}
	if asked["GET layer"] != 1 || asked["GET config"] != 1 {
		t.Errorf("asked %v", asked)
	}
	if left, err := os.ReadDir(filepath.Join(dir, layout.IngestDir)); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A blob whose download failed is resumed by the next pull.
func TestResumed(t *testing.T) {
	const size, unit = 4 << 20, 1 << 20
	f, dir := newFake(t, size), t.TempDir()
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !f.isLayer(r) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(f.layer[:2*unit+unit/2])
		return true
	}
	if _, err := pullInto(t, dir, newTestSource(t), f.ref()); status.Of(err) != status.Temporary {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	var asked string
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if f.isLayer(r) {
			asked = r.Header.Get("Range")
		}
		return false
	}
	if _, err := pullInto(t, dir, newTestSource(t), f.ref()); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("bytes=%d-%d", 2*unit, size-1); asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestContentRange(t *testing.T) {
	for field, want := range map[string][3]int64{
		"bytes 0-9/20": {0, 10, 20}, "bytes 5-5/*": {5, 6, 0},
		"": {-1, -1, 0}, "bytes */20": {-1, -1, 0}, "items 0-9/20": {-1, -1, 0}, "bytes 0-9/99999999999999999999": {-1, -1, 0},
	} {
		from, to, size := contentRange(field)
		if got := [3]int64{from, to, size}; got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
}
