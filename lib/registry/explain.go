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
			"SSL_CERT_FILE names a file of certificates to trust")
	case errors.Is(err, errSilent):
		return status.Hint(status.Errorf(status.Temporary, "%w", errSilent), "--timeout allows more")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return status.Errorf(status.Temporary, "connection cut: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &wire):
		return status.Errorf(status.Temporary, "%w", wire.error)
	case errors.As(err, &long):
		return status.Errorf(status.Bad, "a document of more than the %d bytes allowed", long.Limit)
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
		said = fmt.Sprintf("the registry answers %d", e.StatusCode)
	}
	if len(e.Errors) > 0 {
		said = strings.ToLower(strings.ReplaceAll(string(e.Errors[0].Code), "_", " "))
	}
	err := errors.New(said)
	switch {
	case e.StatusCode == http.StatusUnauthorized, e.StatusCode == http.StatusForbidden:
		return status.Hint(status.With(status.Refused, err), "no such repository, or log in with docker login")
	case e.StatusCode == http.StatusNotFound:
		return status.With(status.NoInput, err)
	case e.StatusCode == http.StatusTooManyRequests:
		return status.Hint(status.With(status.Temporary, err), "docker login may raise the limit")
	case e.StatusCode >= 500, e.Temporary():
		return status.With(status.Temporary, err)
	}
	return err
}
