// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"banger/lib/layout"
	"banger/lib/retry"
)

// newTestSource returns a source without configuration and credentials that repeats
// nothing.
func newTestSource(t *testing.T) *Source {
	t.Helper()
	s := NewSource(func(string) string { return "" })
	s.Platform, s.HostsDirs, s.Keychain, s.Retry = layout.DefaultPlatform, nil, authn.NewMultiKeychain(), retry.Policy{}
	return &s
}

// trust makes the certificate of a server one that the source trusts.
func trust(t *testing.T, s *Source, server *httptest.Server) {
	t.Helper()
	dir := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	writeFile(t, filepath.Join(dir, server.Listener.Addr().String(), "ca.crt"), string(certificate))
	s.HostsDirs = append(s.HostsDirs, dir)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server
}

// pullAnswers asks a server for an image, and returns what comes of it.
func pullAnswers(t *testing.T, s *Source, answer http.HandlerFunc) error {
	t.Helper()
	return pullFrom(t, s, serve(t, answer))
}

// pullFrom asks a server for an image.
func pullFrom(t *testing.T, s *Source, server *httptest.Server) error {
	t.Helper()
	if server.TLS != nil {
		trust(t, s, server)
	}
	_, err := pullInto(t, t.TempDir(), s, server.Listener.Addr().String()+"/x:1")
	return err
}

// pullInto pulls an image into a layout.
func pullInto(t *testing.T, dir string, s *Source, reference string) (layout.Ref, error) {
	t.Helper()
	to, err := layout.NewWriter(t.Context(), dir, func(text string) { t.Errorf("warning: %s", text) })
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	return s.Pull(t.Context(), to, reference, func(int64, int64) {})
}
