// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"path"

	"banger/lib/input"
)

// limited limits responses to input.MaxDocument bytes, except for blobs, whose
// size layout.Writer checks against their descriptor.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err != nil || isForBlob(req) {
		return resp, err
	}
	if resp.StatusCode == http.StatusOK && resp.ContentLength > input.MaxDocument {
		resp.Body.Close()
		return nil, refuse("document of %d bytes too large (limit %d)", resp.ContentLength, input.MaxDocument)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, input.MaxDocument)
	return resp, nil
}

// isForBlob reports whether a request is for a blob, /v2/NAME/blobs/DIGEST, or
// follows a redirect from there.
func isForBlob(req *http.Request) bool {
	for from := redirectedBy(req); from != nil; from = redirectedBy(req) {
		req = from
	}
	return path.Base(path.Dir(req.URL.Path)) == "blobs"
}
