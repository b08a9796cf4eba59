// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banger/lib/status"
)

// pullFrom asks a server for an image, and returns what comes of it.
func pullFrom(t *testing.T, silence time.Duration, answer http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return pullOver(t, server, NewTransport(silence))
}

// One that says nothing is given up.
func TestSilence(t *testing.T) {
	err := pullFrom(t, 100*time.Millisecond, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if status.Of(err) != status.Temporary || !strings.Contains(err.Error(), errSilent.Error()) {
		t.Errorf("%v, want %v", err, errSilent)
	}
}

// What registries answer, and what that means.
func TestAnswers(t *testing.T) {
	for code, want := range map[int]status.Code{
		http.StatusUnauthorized: status.Refused, http.StatusForbidden: status.Refused,
		http.StatusNotFound: status.NoInput, http.StatusTooManyRequests: status.Temporary,
		http.StatusBadGateway: status.Temporary, 599: status.Temporary,
	} {
		err := pullFrom(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		if status.Of(err) != want || err.Error() == "" {
			t.Errorf("%d: status %d, %v; want %d", code, status.Of(err), err, want)
		}
	}
}
