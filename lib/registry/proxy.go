// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"banger/lib/status"
)

// proxyAnswer returns an error for a proxy that does not connect to the server.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, resp.StatusCode}
}

// A proxyError is the answer of a proxy that does not connect to the server.
type proxyError struct {
	host string
	code int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("proxy %s: status %d %s", e.host, e.code, strings.ToLower(http.StatusText(e.code)))
}

// explainProxy returns an error for the answer of a proxy.
func explainProxy(e *proxyError) error {
	switch {
	case e.code == http.StatusProxyAuthRequired:
		return status.Hint(status.With(status.Refused, e), "HTTPS_PROXY=http://USER:PASSWORD@%s", e.host)
	case isTemporary(e.code):
		return status.With(status.Temporary, e)
	}
	return status.With(status.Refused, e)
}
