// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/lib/status"
)

// explain returns a short error for a failed request. Its exit status tells
// whether trying again can help.
func explain(err error) error {
	var refused refusal
	var answer *transport.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	var long *http.MaxBytesError
	var wire wireError
	var proxy *proxyError
	switch {
	case errors.As(err, &refused):
		return refused.error
	case errors.As(err, &answer):
		return explainAnswer(answer)
	case errors.As(err, &proxy):
		return explainProxy(proxy)
	case errors.Is(err, context.Canceled) && !errors.Is(err, errSilent):
		return err
	case errors.As(err, &certificate):
		return status.Hint(status.Errorf(status.Refused, "%w", certificate),
			"set SSL_CERT_FILE to a file with the certificates to trust")
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return status.Errorf(status.Bad, "%w", http.ErrSchemeMismatch)
	case errors.As(err, &op) && op.Op == "remote error":
		return status.Errorf(status.Refused, "the server ends the TLS handshake: %w", op.Err)
	case errors.Is(err, errSilent):
		return status.Errorf(status.Temporary, "%w", errSilent)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return status.Errorf(status.Temporary, "connection cut: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &wire):
		return status.Errorf(status.Temporary, "%w", scrubbed(wire.error))
	case errors.As(err, &long):
		return status.Errorf(status.Bad, "document too large (limit %d bytes)", long.Limit)
	}
	return status.With(status.Bad, scrubbed(err))
}

// secrets matches the queries of URLs, and their users and passwords, in error
// texts.
var secrets = regexp.MustCompile(`\?[^\s"]+|//[^\s"/@]*@`)

// scrubbed returns an error without secrets. It is not the same error if it has some.
func scrubbed(err error) error {
	text := err.Error()
	clean := secrets.ReplaceAllStringFunc(text, func(s string) string {
		if s[0] == '?' {
			return "?..."
		}
		return "//...@"
	})
	if clean == text {
		return err
	}
	return status.Errorf(status.Of(err), "%s", clean)
}

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
	case isTemporary(e.StatusCode), e.StatusCode >= 500:
		return status.With(status.Temporary, err)
	}
	return err
}

func isDenied(e *transport.Error) bool {
	return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
}

// isTemporary reports whether the same request may be answered later.
func isTemporary(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		499, // nginx: the client closed the connection, which may be a proxy
		522: // Cloudflare: no connection to the origin
		return true
	}
	return false
}
