// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"

	"banger/lib/transfer"
)

var errSilent = errors.New("timeout: server is silent")

// connectIn is how long a connection may take, and the TLS handshake after it, unless
// a host has another limit.
const connectIn = 30 * time.Second

// maxHeader limits the header of an answer, in bytes.
const maxHeader = 1 << 20

// A Transport carries the requests of Get.
type Transport = http.RoundTripper

// NewTransport returns a transport for Get that fails if a server sends less than
// 1 KiB a second for the duration silence, and that follows only the redirects that
// checkRedirect allows.
func NewTransport(silence time.Duration) Transport {
	return &webTransport{&timedTransport{RoundTripper: newTransport(nil, connectIn), connect: connectIn, silence: silence}}
}

// newTransport returns a transport with HTTP/2 for servers that offer it.
func newTransport(config *tls.Config, dialTimeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        config.Clone(), // which it changes
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// newBlobTransport returns a transport with HTTP/1.1 alone, a connection for each
// request.
func newBlobTransport(config *tls.Config, dialTimeout time.Duration) *http.Transport {
	t := newTransport(config, dialTimeout)
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ReadBufferSize = 64 << 10
	return t
}

// A webTransport refuses redirects of an http.Client that are not allowed.
type webTransport struct{ http.RoundTripper }

func (t *webTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkRedirect(req); err != nil {
		return nil, err
	}
	return t.RoundTripper.RoundTrip(req)
}

// A timedTransport fails requests to silent servers. The time of silence begins when
// there is a connection: how long that may take is up to the host.
type timedTransport struct {
	http.RoundTripper
	connect time.Duration // for the connection, and for the TLS handshake
	silence time.Duration
	blobs   bool // whether the caller limits the time for what was asked for
}

func (t *timedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	silent := func() { cancel(errSilent) }
	timer := time.AfterFunc(2*t.connect+t.silence, silent) // a proxy may be silent, too
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { timer.Reset(t.silence) },
	})))
	timer.Stop()
	if err != nil {
		defer cancel(nil)
		return nil, onWire(ctx, err)
	}
	body := &timedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel}
	if !t.blobs || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		body.stall = transfer.NewStall(t.silence, silent)
	}
	resp.Body = body
	return resp, nil
}

// A timedBody is a response body that fails if it is stalled.
type timedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  *transfer.Stall // nil if the caller limits the time
}

func (b *timedBody) Read(p []byte) (n int, err error) {
	if b.stall != nil {
		n, err = b.stall.Read(b.ReadCloser, p)
	} else {
		n, err = b.ReadCloser.Read(p)
	}
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
