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

	"banger/lib/layout"
	"banger/lib/status"
)

// explain returns a short error for a failed request. Its exit status tells
// whether trying again can help.
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
		return status.Hint(status.Errorf(status.Temporary, "%w", errSilent), "the --timeout flag of banger-kernel sets how long to wait")
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

// queries matches the queries of URLs in error texts. They may hold secrets.
var queries = regexp.MustCompile(`\?[^\s"]+`)

// codeTexts are the texts for error codes of registries (distribution-spec,
// "Error Codes"). Other codes are printed in lower case.
var codeTexts = map[transport.ErrorCode]string{
	transport.DeniedErrorCode:          "access denied",
	transport.ManifestUnknownErrorCode: "no such tag or digest",
	transport.NameUnknownErrorCode:     "no such repository",
	transport.TooManyRequestsErrorCode: "too many requests",
}

// explainAnswer returns an error for an error response of a registry.
func explainAnswer(e *transport.Error) error {
	said := strings.ToLower(http.StatusText(e.StatusCode))
	if said == "" {
		said = fmt.Sprintf("registry answered with status %d", e.StatusCode)
	}
	if len(e.Errors) > 0 {
		code := e.Errors[0].Code
		if said = codeTexts[code]; said == "" {
			said = strings.ToLower(strings.ReplaceAll(string(code), "_", " "))
		}
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

// explain is the function explain, with a hint for the image that is pulled. It
// distinguishes a rejected password from a missing one.
func (p *pull) explain(err error) error {
	explained := explain(err)
	var answer *transport.Error
	switch {
	case errors.Is(err, errSilent):
		return status.Hint(explained, "%s", p.patientCommand())
	case errors.Is(err, http.ErrSchemeMismatch):
		return status.Hint(explained, "plain http works only for localhost, names in .local, and loopback and private IPv4 addresses")
	case !errors.As(err, &answer):
		return explained
	}
	login := "docker login " + loginHost(p.ref.Context())
	switch known := p.hasCredentials(); {
	case answer.StatusCode == http.StatusTooManyRequests && known:
		return status.Hint(explained, "run it again later")
	case answer.StatusCode == http.StatusTooManyRequests:
		return status.Hint(fmt.Errorf("%w: logging in may raise the limit", explained), "%s", login)
	case !isDenied(answer):
		return explained
	case !known:
		return status.Hint(fmt.Errorf("%w: no such repository, or login required", explained), "%s", login)
	case answer.StatusCode == http.StatusUnauthorized && !hasToken(answer):
		return status.Hint(status.Errorf(status.Refused, "wrong user name or password for %s", loginHost(p.ref.Context())), "%s", login)
	}
	return status.Hint(fmt.Errorf("%w: no such repository, or the user may not read it", explained), "%s", login)
}

// patientCommand returns the command that fetches the image with a longer
// timeout.
func (p *pull) patientCommand() string {
	var platform string
	if s := layout.PlatformString(p.Platform); s != layout.PlatformString(layout.DefaultPlatform) {
		platform = "--platform " + s + " "
	}
	return fmt.Sprintf("banger-fetch --timeout 5m %s%s", platform, p.ref)
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
