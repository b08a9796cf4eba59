// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"

	"banger/lib/status"
)

// maxHops is how many redirects are followed; the client of
// go-containerregistry has no limit of its own.
const maxHops = 10

// A refusal says why an answer is not followed or not taken. Asking again
// would not help.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error {
	return refusal{status.Errorf(status.Bad, format, args...)}
}

// checkRedirect returns an error for a request that follows a redirect to a
// scheme other than http and https, from https to http, or after maxHops others.
// The error does not quote the target, whose query may hold a secret.
func checkRedirect(to *http.Request) error {
	from := redirectedBy(to)
	if from == nil {
		return nil
	}
	switch scheme := to.URL.Scheme; {
	case scheme != "http" && scheme != "https":
		return refuse("redirect to unsupported scheme %q", scheme)
	case to.URL.Host == "":
		return refuse("redirect to a URL without a host")
	case scheme == "http" && from.URL.Scheme == "https":
		return refuse("redirect from https to http on %s refused", to.URL.Host)
	}
	for hops := 1; from != nil; hops++ {
		if hops > maxHops {
			return refuse("too many redirects (limit %d)", maxHops)
		}
		from = redirectedBy(from)
	}
	return nil
}

// redirectedBy returns the request whose answer led to this one, nil for one
// that no redirect led to.
func redirectedBy(req *http.Request) *http.Request {
	if req.Response == nil {
		return nil
	}
	return req.Response.Request
}
