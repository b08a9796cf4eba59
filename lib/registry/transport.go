// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var errSilent = errors.New("the server has gone silent")

// NewTransport returns a transport that gives up on a server which says
// nothing for so long, whatever it was in the middle of.
func NewTransport(silence time.Duration) http.RoundTripper {
	return &patient{remote.DefaultTransport, silence}
}

// maxHops is how many redirects are followed; the client of
// go-containerregistry has no limit of its own.
const maxHops = 10

var errLoop = fmt.Errorf("more than %d redirects", maxHops)

type patient struct {
	http.RoundTripper
	silence time.Duration
}

func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	hops := 0
	for r := req.Response; r != nil && r.Request != nil; r = r.Request.Response {
		if hops++; hops > maxHops {
			return nil, errLoop
		}
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(p.silence, func() { cancel(errSilent) })
	resp, err := p.RoundTripper.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		defer cancel(nil)
		return nil, cause(ctx, err)
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
	if err != nil {
		err = cause(h.ctx, err)
	}
	return n, err
}

func (h *heard) Close() error {
	defer h.cancel(nil)
	return h.ReadCloser.Close()
}

// cause puts the reason of a cancellation in the place of its symptom.
func cause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}
