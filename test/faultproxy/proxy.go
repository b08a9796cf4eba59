// SPDX-License-Identifier: Apache-2.0

// Package faultproxy is a web server in front of a registry that fails as servers,
// load balancers and networks do. It streams: no blob is held in memory. It counts
// requests, connections, and the bytes that it writes to them.
package faultproxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy forwards requests to a registry. Its fields are set before Start.
type Proxy struct {
	Registry string        // URL of the registry, without a path
	Backend  *tls.Config   // for connections to the registry, nil for the default
	Header   http.Header   // of requests to the registry, instead of the client's
	TLS      *tls.Config   // of the proxy's listeners, nil for plain HTTP
	HTTP2    bool          // offer HTTP/2, if TLS is set
	Rate     int64         // bytes a second of each TCP connection, 0 for no limit
	Latency  time.Duration // before each answer begins
	Fault    *Fault        // of some answers, nil for none
	Tokens   *Tokens       // required of clients, nil for none
	CDN      bool          // redirect requests for blobs to a second host

	servers   []*http.Server
	hosts     []string
	transport *http.Transport
	signed    addresses

	wire, conns atomic.Int64
	alarm       alarm
	mu          sync.Mutex
	requests    []Request
	working     sync.WaitGroup
}

// A Request is one that the proxy has answered, or begun to answer.
type Request struct {
	Method, Path, Query string
	Range               string
	Host                string // the proxy's, or its CDN's
	Authorization       string
	Major               int   // version of HTTP
	Status              int   // 0 if no answer began
	Bytes               int64 // of the body
}

// Start listens on loopback until Close.
func (p *Proxy) Start() error {
	p.transport = &http.Transport{TLSClientConfig: p.Backend, DisableCompression: true, MaxIdleConnsPerHost: 16}
	handlers := []http.HandlerFunc{p.serve}
	if p.CDN {
		handlers = append(handlers, p.serveSigned)
	}
	for _, h := range handlers {
		if err := p.listen(h); err != nil {
			return err
		}
	}
	return nil
}

func (p *Proxy) listen(h http.HandlerFunc) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.hosts = append(p.hosts, l.Addr().String())
	l = listener{l, p}
	s := &http.Server{Handler: p.recorded(h), ErrorLog: log.New(io.Discard, "", 0)}
	if p.TLS != nil {
		c := p.TLS.Clone()
		c.NextProtos = []string{"http/1.1"}
		if p.HTTP2 {
			c.NextProtos = []string{"h2", "http/1.1"}
		} else {
			s.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		}
		s.TLSConfig = c
		go s.ServeTLS(l, "", "")
	} else {
		go s.Serve(l)
	}
	p.servers = append(p.servers, s)
	return nil
}

// Close ends all connections.
func (p *Proxy) Close() {
	for _, s := range p.servers {
		s.Close()
	}
	p.transport.CloseIdleConnections()
}

// Host returns the proxy's address and port.
func (p *Proxy) Host() string { return p.hosts[0] }

// URL returns the proxy's URL, without a path.
func (p *Proxy) URL() string { return p.scheme() + "://" + p.hosts[0] }

func (p *Proxy) scheme() string {
	if p.TLS != nil {
		return "https"
	}
	return "http"
}

// Wire returns the number of bytes written to connections: headers, bodies, and what
// TLS adds.
func (p *Proxy) Wire() int64 { return p.wire.Load() }

// Conns returns the number of connections that clients opened.
func (p *Proxy) Conns() int64 { return p.conns.Load() }

// Requests returns the requests so far. It waits until they are answered, and must
// not be called while a client may send others.
func (p *Proxy) Requests() []Request {
	p.working.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// recorded returns a handler that counts its requests, and delays its answers.
func (p *Proxy) recorded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.working.Add(1)
		defer p.working.Done()
		p.mu.Lock()
		n := len(p.requests)
		p.requests = append(p.requests, Request{
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Range: r.Header.Get("Range"),
			Host: r.Host, Authorization: r.Header.Get("Authorization"), Major: r.ProtoMajor,
		})
		p.mu.Unlock()
		sleep(r.Context(), p.Latency)
		h(&reporter{w, func(code int, bytes int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.requests[n].Status = max(code, p.requests[n].Status)
			p.requests[n].Bytes += bytes
		}}, r)
	}
}

// A reporter reports the status of an answer, and bytes of its body.
type reporter struct {
	http.ResponseWriter
	report func(code int, bytes int64)
}

func (w *reporter) WriteHeader(code int) {
	w.report(code, 0)
	w.ResponseWriter.WriteHeader(code)
}

func (w *reporter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.report(http.StatusOK, int64(n))
	return n, err
}

func (w *reporter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// sleep waits until the time has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// serve answers the requests to a registry.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.Tokens != nil && r.URL.Path == "/token":
		p.Tokens.give(w, r)
	case p.Tokens != nil && !p.Tokens.allow(r):
		p.challenge(w)
	case p.CDN && isBlob(r):
		p.redirect(w, r)
	default:
		p.forward(w, r, r.URL.RequestURI())
	}
}

func isBlob(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
}

// forward sends a request to the registry, and the answer, which the fault may
// spoil, to the client.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, uri string) {
	resp, err := p.ask(r, uri)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	x := newExchange(p, w, r, resp, uri)
	if p.Fault.strikes(x) {
		p.Fault.Kind(x)
		return
	}
	x.header(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (p *Proxy) ask(r *http.Request, uri string) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.Registry+uri, r.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	out.ContentLength = r.ContentLength
	out.Header = r.Header.Clone()
	out.Host = r.Host
	if p.Tokens != nil {
		out.Header.Del("Authorization")
	}
	for name, values := range p.Header {
		out.Header[name] = values
	}
	return p.transport.RoundTrip(out)
}
