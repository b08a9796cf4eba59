// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/lib/registry"
	"banger/lib/status"
)

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// document returns a catalog of entries.
func document(t *testing.T, entries ...Entry) []byte {
	t.Helper()
	raw, err := json.Marshal(Catalog{Version: 1, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func source() http.RoundTripper {
	return registry.NewTransport(time.Minute)
}

// A catalog is a file or a URL; one that is named must exist.
func TestLoadNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kernels.json")
	write(t, path, document(t, tarball()))
	write(t, filepath.Join(dir, "bad.json"), []byte("bad"))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for where, want := range map[string]status.Code{
		path: status.OK, server.URL + "/kernels.json": status.OK,
		path + ".none": status.NoInput, server.URL + "/none": status.NoInput,
		filepath.Join(dir, "bad.json"): status.Bad, server.URL + "/bad.json": status.Bad,
	} {
		set, err := load(context.Background(), source(), where, dir)
		switch {
		case status.Of(err) != want:
			t.Errorf("%s: status %d, %v", where, status.Of(err), err)
		case want == status.OK && (len(set) != 1 || set[0].From != where || len(set[0].Entries) != 1):
			t.Errorf("%s: %+v", where, set)
		case want != status.OK && !strings.HasPrefix(err.Error(), "catalog "+where+": "):
			t.Errorf("%s is not named: %v", where, err)
		}
	}
}

// An endless catalog is not read to its end.
func TestLoadEndless(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for sent < 64*maxCatalog {
			n, err := w.Write(make([]byte, 1<<20))
			if sent += n; err != nil {
				return
			}
		}
	}))
	_, err := load(context.Background(), source(), server.URL, "")
	server.Close() // waits until the handler has ended
	if status.Of(err) != status.Bad || !strings.Contains(err.Error(), "more than") || sent >= 64*maxCatalog {
		t.Errorf("sent %d bytes: %v", sent, err)
	}
}

// The user's own catalog is read if it exists.
func TestLoadOwn(t *testing.T) {
	if _, err := os.Stat(systemWide); err == nil {
		t.Skip(systemWide + " is there")
	}
	config := filepath.Join(t.TempDir(), "config")
	_, err := load(context.Background(), source(), "", config)
	if !errors.Is(err, ErrNotOffered) || status.Of(err) != status.NoInput || !strings.Contains(status.HintOf(err), "--catalog") ||
		!strings.Contains(err.Error(), filepath.Join(config, File)) {
		t.Errorf("none: %v, hint %q", err, status.HintOf(err))
	}
	write(t, filepath.Join(config, File), document(t, tarball()))
	if set, err := load(context.Background(), source(), "", config); err != nil || len(set) != 1 || set[0].Entries[0] != tarball() {
		t.Errorf("%+v, %v", set, err)
	}
	write(t, filepath.Join(config, File), []byte("bad"))
	if _, err := load(context.Background(), source(), "", config); status.Of(err) != status.Bad || errors.Is(err, ErrNotOffered) {
		t.Errorf("damaged: %v", err)
	}
}

// The first catalog that has the name is used, even if its entry is bad.
func TestFindInSet(t *testing.T) {
	first, second := tarball(), image()
	other := image()
	other.Name = "other"
	s := Set{{From: "1", Entries: []Entry{first, {Name: "damaged"}}}, {From: "2", Entries: []Entry{second, other, {Name: "damaged"}}}}
	if c, e, err := s.find("k"); err != nil || c != s[0] || *e != first {
		t.Errorf("k: %+v, %+v, %v", c, e, err)
	}
	if c, e, err := s.find("other"); err != nil || c != s[1] || *e != other {
		t.Errorf("other: %+v, %+v, %v", c, e, err)
	}
	if _, _, err := s.find("damaged"); status.Of(err) != status.Bad || !strings.Contains(err.Error(), "catalog 1") {
		t.Errorf("damaged: %v", err)
	}
	_, _, err := s.find("none")
	if !errors.Is(err, ErrNotOffered) || status.Of(err) != status.NoInput || !strings.HasSuffix(err.Error(), ", which has k, damaged, k, other, damaged") {
		t.Errorf("none: %v, hint %q", err, status.HintOf(err))
	}
	for i := range 100 {
		s[0].Entries = append(s[0].Entries, Entry{Name: fmt.Sprintf("many-%d", i)})
	}
	_, _, err = s.find("none")
	if !strings.Contains(err.Error(), "many-0, ") || strings.Contains(err.Error(), "many-9") {
		t.Errorf("none of many: %v", err)
	}
}
