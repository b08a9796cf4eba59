// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/lib/status"
)

// explain says in a few words what went wrong on the wire, and whether trying
// again can help.
func explain(err error) error {
	var refused refusal
	var answer *transport.Error
	var certificate *tls.CertificateVerificationError
	var long *http.MaxBytesError
	var wire wireError
	switch {
	case errors.As(err, &refused):
		return refused.error
	case errors.As(err, &answer):
		return explainAnswer(answer)
	case errors.Is(err, context.Canceled) && !errors.Is(err, errSilent):
		return err
	case errors.As(err, &certificate):
		return status.Hint(status.Errorf(status.Refused, "%w", certificate),
			"set SSL_CERT_FILE to a file with the certificates to trust")
	case errors.Is(err, errSilent):
		return status.Hint(status.Errorf(status.Temporary, "%w", errSilent), "--timeout 5m waits longer")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return status.Errorf(status.Temporary, "connection cut: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &wire):
		return status.Errorf(status.Temporary, "%w", wire.error)
	case errors.As(err, &long):
		return status.Errorf(status.Bad, "document too large (limit %d bytes)", long.Limit)
	}
	said := queries.ReplaceAllString(err.Error(), "?...")
	return status.Errorf(status.Of(status.With(status.Bad, err)), "%s", said)
}

// queries are those of URLs in the words of others. They may hold secrets.
var queries = regexp.MustCompile(`\?[^\s"]+`)

// explainAnswer reads the registry's own words (distribution-spec, "Error
// Codes").
func explainAnswer(e *transport.Error) error {
	said := strings.ToLower(http.StatusText(e.StatusCode))
	if said == "" {
		said = fmt.Sprintf("registry answered with status %d", e.StatusCode)
	}
	if len(e.Errors) > 0 {
		said = strings.ToLower(strings.ReplaceAll(string(e.Errors[0].Code), "_", " "))
	}
	err := errors.New(said)
	switch {
	case isDenied(e):
		return status.With(status.Refused, err)
	case e.StatusCode == http.StatusNotFound:
		return status.With(status.NoInput, err)
	case e.StatusCode == http.StatusTooManyRequests:
		return status.With(status.Temporary, err)
	case e.StatusCode >= 500, e.Temporary():
		return status.With(status.Temporary, err)
	}
	return err
}

func isDenied(e *transport.Error) bool {
	return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
}

// explain adds to an answer of the registry how to log in, if that may help. It
// tells a password that was refused from one that was not given.
func (p *pull) explain(err error) error {
	explained := explain(err)
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return explained
	}
	login := "docker login " + loginHost(p.ref.Context())
	switch known := p.hasCredentials(); {
	case answer.StatusCode == http.StatusTooManyRequests && !known:
		return status.Hint(explained, "log in, which may raise the limit: %s", login)
	case !isDenied(answer):
		return explained
	case !known:
		return status.Hint(explained, "no such repository, or log in: %s", login)
	case answer.StatusCode == http.StatusUnauthorized && !hasToken(answer):
		return status.Hint(status.Errorf(status.Refused, "wrong user name or password for %s", loginHost(p.ref.Context())), "%s", login)
	}
	return status.Hint(explained, "no such repository, or log in as a user who may read it: %s", login)
}

// hasCredentials reports whether there is a password for the registry.
func (p *pull) hasCredentials() bool {
	auth, err := authn.Resolve(context.Background(), p.Keychain, p.ref.Context())
	return err == nil && auth != authn.Anonymous
}

// hasToken reports whether a request was refused although a token server had
// accepted the password.
func hasToken(e *transport.Error) bool {
	return e.Request != nil && strings.HasPrefix(e.Request.Header.Get("Authorization"), "Bearer ")
}
