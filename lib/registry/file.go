// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"banger/lib/status"
)

// Get requests a file from a web server and returns its content, which the
// caller must close. A URL that is neither http nor https is an error. If the
// connection is cut, Read returns an error.
func Get(ctx context.Context, transport http.RoundTripper, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, status.Errorf(status.Usage, "%w", err)
	}
	if s := req.URL.Scheme; s != "http" && s != "https" || req.URL.Host == "" {
		return nil, status.Errorf(status.Usage, "%s: not an http or https URL", req.URL.Redacted())
	}
	req.Header.Set("Accept-Encoding", "identity") // the checksum is of the file as served
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, explainStatus(resp.StatusCode)
	}
	return &file{resp.Body}, nil
}

// explainStatus returns an error, with its exit status, for the status code of a
// web server.
func explainStatus(code int) error {
	said := strings.TrimSpace(fmt.Sprintf("server answered with status %d %s", code, strings.ToLower(http.StatusText(code))))
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return status.Errorf(status.Refused, "%s", said)
	case code == http.StatusNotFound, code == http.StatusGone:
		return status.Errorf(status.NoInput, "%s", said)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return status.Errorf(status.Temporary, "%s", said)
	}
	return status.Errorf(status.Failed, "%s", said)
}

// A file is a response body whose errors pass through explain.
type file struct{ io.ReadCloser }

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = explain(err)
	}
	return n, err
}
