// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var errSilent = errors.New("timeout: server is silent")

// NewTransport returns a transport that gives up on a server which says
// nothing for so long, whatever it was in the middle of, and follows only the
// redirects that checkRedirect lets pass.
func NewTransport(silence time.Duration) http.RoundTripper {
	return &patient{remote.DefaultTransport, silence}
}

type patient struct {
	http.RoundTripper
	silence time.Duration
}

func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkRedirect(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(p.silence, func() { cancel(errSilent) })
	resp, err := p.RoundTripper.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		defer cancel(nil)
		return nil, onWire(ctx, err)
	}
	resp.Body = &heard{resp.Body, ctx, cancel, timer, p.silence}
	return resp, nil
}

// heard is a body whose reads are timed, but not what is done between them.
type heard struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	silence time.Duration
}

func (h *heard) Read(p []byte) (int, error) {
	h.timer.Reset(h.silence)
	n, err := h.ReadCloser.Read(p)
	h.timer.Stop()
	if err != nil && err != io.EOF {
		err = onWire(h.ctx, err)
	}
	return n, err
}

func (h *heard) Close() error {
	defer h.cancel(nil)
	return h.ReadCloser.Close()
}

// A wireError is an error of the connection, not of what came over it: another
// try may go better.
type wireError struct{ error }

func (e wireError) Unwrap() error { return e.error }

// Temporary tells go-containerregistry whether to try again at once.
func (e wireError) Temporary() bool {
	t, is := e.error.(interface{ Temporary() bool })
	return is && t.Temporary()
}

// onWire marks an error of the connection, and puts the reason of a
// cancellation in the place of its symptom. What http.Client has better words
// for stays as it is: a server that does not speak TLS.
func onWire(ctx context.Context, err error) error {
	if _, is := err.(tls.RecordHeaderError); is {
		return err
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return wireError{err}
}
