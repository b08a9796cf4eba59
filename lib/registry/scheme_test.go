// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"banger/lib/status"
)

// unasked is a transport that nothing may be asked of.
type unasked struct{ *testing.T }

func (u unasked) RoundTrip(req *http.Request) (*http.Response, error) {
	u.Errorf("%s: asked for", req.URL)
	return nil, http.ErrNotSupported
}

// What is not on a web server is refused before anybody is asked.
func TestGetScheme(t *testing.T) {
	for _, url := range []string{
		"ftp://127.0.0.1/x", "file:///etc/hostname", "/etc/hostname", "kernels.json", "http:", "https:///x", "",
	} {
		if _, err := Get(context.Background(), unasked{t}, url); status.Of(err) != status.Usage {
			t.Errorf("%q: status %d, %v", url, status.Of(err), err)
		}
	}
}

// Who asked by https is not sent to where others may answer.
func TestGetDowngrade(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("forged")) }))
	defer plain.Close()
	encrypted := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer encrypted.Close()
	transport := &webTransport{encrypted.Client().Transport}
	if body, err := Get(t.Context(), transport, encrypted.URL); status.Of(err) != status.Bad {
		t.Errorf("%v, %v", body, err)
	}
	again := httptest.NewServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer again.Close()
	body, err := Get(t.Context(), http.DefaultTransport, again.URL)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
}
