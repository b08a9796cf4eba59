// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// emptyConfig is of an image without layers.
const emptyConfig = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}`

// emptyImage answers for an image without layers, but leaves the config to
// another.
func emptyImage(config http.HandlerFunc) http.HandlerFunc {
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[],`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d}}`,
		mediaType, digest.FromString(emptyConfig), len(emptyConfig))
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Docker-Content-Digest", digest.FromString(manifest).String())
			w.Write([]byte(manifest))
		default:
			config(w, r)
		}
	}
}

// redirect sends a client to a place that may be none.
func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// A redirect away from the web ends the pull: the blob is asked for once, and
// the message names the scheme but not the query.
func TestRedirectAway(t *testing.T) {
	for _, scheme := range []string{"file", "gopher", "ftp", "data", "unix", "x"} {
		asked := 0
		err := pullAnswers(t, newTestSource(t), emptyImage(func(w http.ResponseWriter, r *http.Request) {
			asked++
			redirect(scheme+"://127.0.0.1/etc/passwd?signature=secret")(w, r)
		}))
		if status.Of(err) != status.Bad || !strings.Contains(err.Error(), `"`+scheme+`"`) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: status %d, %v", scheme, status.Of(err), err)
		}
		if asked != 1 {
			t.Errorf("%s: asked %d times", scheme, asked)
		}
	}
}

// Nor is there a second try for one that leads nowhere, or to a link-local address.
func TestRedirectNowhere(t *testing.T) {
	for name, to := range map[string]string{"no host": "http://", "no URL": "http://%zz/?signature=secret", "this network": "http://169.254.169.254/"} {
		asked := 0
		err := pullAnswers(t, newTestSource(t), emptyImage(func(w http.ResponseWriter, r *http.Request) {
			asked++
			redirect(to)(w, r)
		}))
		if status.Of(err) != status.Bad || asked != 1 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: asked %d times: status %d, %v", name, asked, status.Of(err), err)
		}
	}
}

// A server that sends its clients in circles is left after ten redirects, and
// not asked again. As many as ten are followed.
func TestRedirectLoop(t *testing.T) {
	for name, c := range map[string]struct {
		hops, asked int
		want        status.Code
	}{
		"ten":     {maxHops, maxHops + 1, status.OK},
		"eleven":  {maxHops + 1, maxHops + 1, status.Bad},
		"endless": {1 << 30, maxHops + 1, status.Bad},
	} {
		asked := 0
		err := pullAnswers(t, newTestSource(t), emptyImage(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked <= c.hops {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
				return
			}
			w.Write([]byte(emptyConfig))
		}))
		if status.Of(err) != c.want || asked != c.asked {
			t.Errorf("%s: asked %d times: status %d, %v", name, asked, status.Of(err), err)
		}
		if err != nil && !strings.Contains(err.Error(), "too many redirects (limit 10)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Manifests are held to the same.
func TestRedirectDocuments(t *testing.T) {
	to := redirect("file:///etc/passwd")
	for name, answer := range map[string]http.HandlerFunc{
		"manifest": func(w http.ResponseWriter, r *http.Request) { to(w, r) },
		"circle":   func(w http.ResponseWriter, r *http.Request) { redirect(r.URL.Path)(w, r) },
	} {
		if err := pullAnswers(t, newTestSource(t), answer); status.Of(err) != status.Bad {
			t.Errorf("%s: status %d, %v", name, status.Of(err), err)
		}
	}
}

// What was asked for by https is not taken from where anybody may answer, be
// it by way of a third.
func TestRedirectDowngrade(t *testing.T) {
	var heard atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard.Add(1)
		w.Write([]byte(emptyConfig))
	}))
	defer plain.Close()
	server := httptest.NewTLSServer(emptyImage(redirect(plain.URL + "/x?signature=secret")))
	defer server.Close()
	err := pullFrom(t, newTestSource(t), server)
	if status.Of(err) != status.Bad || !strings.Contains(err.Error(), "https to http") || strings.Contains(err.Error(), "secret") {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
	if n := heard.Load(); n > 0 {
		t.Errorf("asked there %d times", n)
	}
	good := httptest.NewTLSServer(emptyImage(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(emptyConfig)) }))
	defer good.Close()
	if err := pullFrom(t, newTestSource(t), good); err != nil {
		t.Errorf("by https all the way: %v", err)
	}
}
