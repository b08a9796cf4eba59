// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"
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
