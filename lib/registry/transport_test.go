// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"banger/lib/status"
)

// A server that says nothing, or too little, is given up, whatever it begins to answer.
// A redirect is followed without its body.
func TestSilence(t *testing.T) {
	begun := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Content-Length", "300")
			w.WriteHeader(code)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}
	drips := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond) // 60 bytes in the time of 300
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"error":    begun(http.StatusServiceUnavailable),
		"redirect": begun(http.StatusTemporaryRedirect),
		"drips":    drips,
	} {
		for _, what := range []string{"1", "layer"} {
			if what == "layer" && name == "drips" {
				continue // of bodies of blobs, package transfer
			}
			f, s := newFake(t, 16), newTestSource(t)
			s.silence = 300 * time.Millisecond
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				if f.kind(r) == what {
					answer(w, r)
				}
				return f.kind(r) == what
			}
			_, err := pullInto(t, t.TempDir(), s, f.ref())
			want := errSilent.Error()
			if name == "redirect" {
				want = "not found"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v, want %s", name, what, err, want)
			}
		}
	}
}

// A proxy that does not connect to the server is asked again only if that may help.
func TestProxyRefuses(t *testing.T) {
	for code, want := range map[int]status.Code{
		http.StatusProxyAuthRequired: status.Refused, http.StatusForbidden: status.Refused, http.StatusBadGateway: status.Temporary,
	} {
		proxy := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		s := newTestSource(t)
		all, err := s.clientsOf(registryOf(t, "r.example"))
		if err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		all[0].documents.(*timedTransport).RoundTripper.(*http.Transport).Proxy = http.ProxyURL(at)
		_, err = pullInto(t, t.TempDir(), s, "r.example/x:1")
		if status.Of(err) != want || !strings.Contains(err.Error(), "proxy "+at.Host+": status ") {
			t.Errorf("%d: status %d, %v", code, status.Of(err), err)
		}
	}
}

// What registries answer, and what that means. A long page of a gateway changes nothing.
func TestAnswers(t *testing.T) {
	for code, want := range map[int]status.Code{
		http.StatusUnauthorized: status.Refused, http.StatusForbidden: status.Refused,
		http.StatusNotFound: status.NoInput, http.StatusTooManyRequests: status.Temporary,
		http.StatusBadGateway: status.Temporary, 599: status.Temporary,
	} {
		err := pullAnswers(t, newTestSource(t), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			w.Write(make([]byte, 100<<10))
		})
		if status.Of(err) != want || err.Error() == "" {
			t.Errorf("%d: status %d, %v; want %d", code, status.Of(err), err, want)
		}
	}
}
