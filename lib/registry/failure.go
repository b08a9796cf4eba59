// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/lib/retry"
	"banger/lib/status"
	"banger/lib/transfer"
)

// failure returns what a failed request to the host means: its kind, and an error with
// a hint. The error of a context that ended is returned as it is.
func (c *client) failure(ctx context.Context, scope string, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSilent) {
		return ctx.Err()
	}
	failed := &transfer.Error{Kind: transfer.Final, Err: c.explain(scope, err)}
	var later *laterError
	var answer *transport.Error
	var dns *net.DNSError
	var proxy *proxyError
	switch {
	case errors.As(err, &proxy):
		if isTemporary(proxy.code) {
			failed.Kind = transfer.Temporary
		}
	case errors.As(err, &later):
		failed.Kind, failed.After = transfer.Temporary, later.after
	case errors.As(err, &answer):
		if isTemporary(answer.StatusCode) {
			failed.Kind = transfer.Temporary
		}
	case errors.As(err, &dns) && dns.IsNotFound: // a name that does not exist
	case status.Of(failed.Err) == status.Temporary:
		failed.Kind = transfer.Temporary
	}
	return failed
}

// A laterError is an answer that says when to ask again.
type laterError struct {
	error
	after time.Duration
}

func (e *laterError) Unwrap() error { return e.error }

// check returns an error for an answer without one of the status codes, after reading
// and closing its body, and for one with a Content-Encoding.
func check(resp *http.Response, codes ...int) error {
	if err := transport.CheckError(shortened(resp), codes...); err != nil {
		resp.Body.Close()
		if isTemporary(resp.StatusCode) {
			if after := retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
				return &laterError{err, after}
			}
		}
		return err
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		resp.Body.Close()
		return refuse("the answer has the Content-Encoding %q, which was not asked for", e)
	}
	return nil
}

// maxErrorBody limits the body of an error, in bytes. CheckError returns no status for
// one that is longer than 64 KiB.
const maxErrorBody = 16 << 10

// shortened returns an answer with the start of its body.
func shortened(resp *http.Response) *http.Response {
	short := *resp
	short.Body = io.NopCloser(io.LimitReader(resp.Body, maxErrorBody))
	return &short
}

// explain is the function explain, with a hint for this host. It distinguishes a
// rejected password from a missing one.
func (c *client) explain(scope string, err error) error {
	explained := explain(err)
	var answer *transport.Error
	switch {
	case errors.Is(explained, http.ErrSchemeMismatch):
		return status.Hint(explained, "banger-fetch --plain-http %s ...", c.name())
	case !errors.As(err, &answer):
		return explained
	}
	login := "docker login " + c.loginHost()
	switch known := c.auth.hasCredentials(scope); {
	case answer.StatusCode == http.StatusTooManyRequests && known:
		return status.Hint(explained, "run it again later")
	case answer.StatusCode == http.StatusTooManyRequests:
		return status.Hint(fmt.Errorf("%w: logging in may raise the limit", explained), "%s", login)
	case !isDenied(answer):
		return explained
	case !known:
		return status.Hint(fmt.Errorf("%w: no such repository, or login required", explained), "%s", login)
	case isToken(err), answer.StatusCode == http.StatusUnauthorized && !c.auth.hasToken(scope):
		return status.Hint(status.Errorf(status.Refused, "wrong user name or password for %s", c.loginHost()), "%s", login)
	}
	return status.Hint(fmt.Errorf("%w: no such repository, or the user may not read it", explained), "%s", login)
}

// hasToken reports whether a token server has accepted the credentials.
func (a *auth) hasToken(scope string) bool {
	g := a.grant(scope)
	return g != nil && g.challenge.scheme == "bearer"
}

// loginHost returns what docker login takes for the host.
func (c *client) loginHost() string {
	if c.host.Own {
		return c.registry
	}
	return c.host.URL.Host
}
