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

// NewTransport returns a transport that fails if a server sends nothing for the
// duration silence, and that follows only the redirects that checkRedirect
// allows.
func NewTransport(silence time.Duration) http.RoundTripper {
	return &timedTransport{remote.DefaultTransport, silence}
}

// A timedTransport fails requests to silent servers.
type timedTransport struct {
	http.RoundTripper
	silence time.Duration
}

func (t *timedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkRedirect(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.silence, func() { cancel(errSilent) })
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		defer cancel(nil)
		return nil, onWire(ctx, err)
	}
	resp.Body = &timedBody{resp.Body, ctx, cancel, timer, t.silence}
	return resp, nil
}

// A timedBody is a response body with a timeout for each Read.
type timedBody struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	silence time.Duration
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.silence)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = onWire(b.ctx, err)
	}
	return n, err
}

func (b *timedBody) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// A wireError is an error of the connection, not of the data received: trying
// again may succeed.
type wireError struct{ error }

func (e wireError) Unwrap() error { return e.error }

// Temporary tells go-containerregistry whether to try again at once.
func (e wireError) Temporary() bool {
	t, is := e.error.(interface{ Temporary() bool })
	return is && t.Temporary()
}

// onWire returns an error of the connection as a wireError. If ctx was canceled
// because of silence, that is the error. A tls.RecordHeaderError is returned
// unchanged: http.Client replaces it by http.ErrSchemeMismatch.
func onWire(ctx context.Context, err error) error {
	if _, is := err.(tls.RecordHeaderError); is {
		return err
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return wireError{err}
}
