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

// Get starts reading a file from a web server, by http or https, as patiently
// as blobs are read. Other URLs are refused. The caller closes it; what is cut
// is an error of reading.
func Get(ctx context.Context, transport http.RoundTripper, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, status.Errorf(status.Usage, "%w", err)
	}
	if s := req.URL.Scheme; s != "http" && s != "https" || req.URL.Host == "" {
		return nil, status.Errorf(status.Usage, "%s: not an http or https URL", req.URL.Redacted())
	}
	req.Header.Set("Accept-Encoding", "identity") // its sum is that of what is served
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

// explainStatus gives the answer of a web server the exit status it means.
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

// file is a body whose errors are explained.
type file struct{ io.ReadCloser }

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = explain(err)
	}
	return n, err
}
