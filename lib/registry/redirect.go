// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net"
	"net/http"
	"net/url"

	"banger/lib/status"
)

// maxHops is how many redirects are followed.
const maxHops = 10

// A refusal says why an answer is not followed or not taken. Asking again
// would not help.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error {
	return refusal{status.Errorf(status.Bad, format, args...)}
}

// checkRedirect returns an error for a request of an http.Client that follows a
// redirect that checkHop refuses, or after maxHops others.
func checkRedirect(to *http.Request) error {
	from := redirectedBy(to)
	if from == nil {
		return nil
	}
	if err := checkHop(from.URL, to.URL); err != nil {
		return err
	}
	for hops := 1; from != nil; hops++ {
		if hops > maxHops {
			return tooManyHops()
		}
		from = redirectedBy(from)
	}
	return nil
}

func tooManyHops() error { return refuse("too many redirects (limit %d)", maxHops) }

// checkHop returns an error for a redirect to a scheme other than http and https,
// from https to http, or to a link-local address, where clouds have credentials. The
// error does not quote the target, whose query may hold a secret.
func checkHop(from, to *url.URL) error {
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return refuse("redirect to unsupported scheme %q", to.Scheme)
	case to.Host == "":
		return refuse("redirect to a URL without a host")
	case to.Scheme == "http" && from.Scheme == "https":
		return refuse("redirect from https to http on %s refused", to.Host)
	case isLinkLocal(to.Hostname()) && from.Host != to.Host:
		return refuse("redirect to the link-local address %s refused", to.Hostname())
	}
	return nil
}

func isLinkLocal(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLinkLocalUnicast()
}

// redirectedBy returns the request whose answer led to this one, nil for one
// that no redirect led to.
func redirectedBy(req *http.Request) *http.Request {
	if req.Response == nil {
		return nil
	}
	return req.Response.Request
}

// nextHop returns the URL that the answer to a request for from leads to.
func nextHop(from *url.URL, resp *http.Response) (*url.URL, error) {
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, refuse("redirect without a Location")
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, refuse("redirect to a malformed URL")
	}
	return to, checkHop(from, to)
}
