// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/hosts"
)

// A client sends requests to one host of a registry. It is used by several
// goroutines.
type client struct {
	*run
	host      hosts.Host
	registry  string // the registry, as hosts.Load takes it
	last      bool
	fallback  bool        // whether the host is asked by HTTP if it does not answer by HTTPS
	plain     atomic.Bool // it is
	documents http.RoundTripper
	blobs     http.RoundTripper
	auth      *auth
}

// clientsOf returns the clients for the hosts of a registry.
func (s *Source) clientsOf(registry name.Registry) ([]*client, error) {
	from := registry.RegistryStr()
	if from == name.DefaultRegistry {
		from = hosts.Hub
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.clients[from]; all != nil {
		return all, nil
	}
	list, err := hosts.Load(s.HostsDirs, from, s.Warn)
	if err != nil {
		return nil, err
	}
	var all []*client
	for i, h := range list {
		c := s.newClient(h, from)
		c.last = i == len(list)-1
		all = append(all, c)
	}
	s.clients[from] = all
	return all, nil
}

func (s *Source) newClient(h hosts.Host, registry string) *client {
	c := &client{run: s.run, host: h, registry: registry}
	switch {
	case slices.Contains(s.PlainHTTP, h.URL.Host), h.Own && slices.Contains(s.PlainHTTP, registry):
		c.plain.Store(true)
	case h.URL.Scheme == "https" && !h.Configured:
		c.fallback = isLoopback(h.URL.Hostname())
	}
	connect := cmp.Or(h.DialTimeout, connectIn)
	c.documents = &timedTransport{RoundTripper: newTransport(h.TLS, connect), connect: connect, silence: s.silence}
	c.blobs = &timedTransport{RoundTripper: newBlobTransport(h.TLS, connect), connect: connect, silence: s.silence, blobs: true}
	c.auth = newAuth(c, s.Keychain)
	return c
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// name returns the name of the host for messages.
func (c *client) name() string { return c.host.URL.Host }

// A request is what is asked of a host.
type request struct {
	method string
	path   string // after the root of the API: NAME/manifests/TAG
	scope  string // for a token
	accept string
	ranged string            // the field Range, "" for none
	via    http.RoundTripper // documents or blobs
}

// url returns the URL of a request. Who is not the registry itself is told which one
// is meant (containerd, docs/hosts.md).
func (c *client) url(r request) *url.URL {
	u := *c.host.URL
	if c.plain.Load() {
		u.Scheme = "http"
	}
	u.Path += "/" + r.path
	if !c.host.Own {
		u.RawQuery = url.Values{"ns": {c.registry}}.Encode()
	}
	return &u
}

// send sends a request with credentials if the host wants them, and follows
// redirects. It returns the answer and its URL.
func (c *client) send(ctx context.Context, r request) (*http.Response, *url.URL, error) {
	authorization, err := c.auth.known(ctx, r.scope)
	if err != nil {
		return nil, nil, err
	}
	resp, from, err := c.follow(ctx, r, c.url(r), authorization)
	if err != nil && c.fallback && !c.plain.Load() && isNotTLS(err) {
		c.plain.Store(true)
		resp, from, err = c.follow(ctx, r, c.url(r), authorization)
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized || from.Host != c.host.URL.Host {
		return resp, from, err
	}
	next, err := c.auth.answer(ctx, r.scope, authorization, parseChallenges(resp.Header))
	if err != nil {
		discard(resp)
		return nil, nil, err
	}
	if next == "" || next == authorization {
		return resp, from, nil
	}
	discard(resp)
	return c.follow(ctx, r, c.url(r), next)
}

// isNotTLS reports whether a server answered a TLS handshake by another protocol.
func isNotTLS(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header)
}

// follow sends a request to a URL, and to those that it is redirected to. The
// authorization and the configured header are for the host alone.
func (c *client) follow(ctx context.Context, r request, to *url.URL, authorization string) (*http.Response, *url.URL, error) {
	for hops := 0; ; hops++ {
		req, err := http.NewRequestWithContext(ctx, r.method, to.String(), nil)
		if err != nil {
			return nil, nil, refuse("malformed URL")
		}
		if to.Host == c.host.URL.Host {
			c.authorize(req, authorization)
		}
		req.Header.Set("Accept-Encoding", "identity")
		for field, value := range map[string]string{"Accept": r.accept, "Range": r.ranged} {
			if value != "" {
				req.Header.Set(field, value)
			}
		}
		resp, err := r.via.RoundTrip(req)
		if err != nil {
			if to.Host == c.host.URL.Host {
				c.bury(ctx, err)
			}
			return nil, nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return resp, to, nil
		}
		discard(resp)
		if to, err = nextHop(to, resp); err != nil {
			return nil, nil, err
		}
		if hops == maxHops {
			return nil, nil, tooManyHops()
		}
	}
}

// authorize adds to a request what only the host itself is sent.
func (c *client) authorize(req *http.Request, authorization string) {
	for field, values := range c.host.Header {
		for _, v := range values {
			req.Header.Add(field, v)
		}
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
}

// discard reads the rest of a short body, so that its connection can be used again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// isDead reports whether the host could not be connected to before.
func (c *client) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead[c.host.URL.String()]
}

// bury records that the host, or its token server, could not be connected to, if that
// is the error and not the end of ctx.
func (c *client) bury(ctx context.Context, err error) {
	if c.last || ctx.Err() != nil || !isDial(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead[c.host.URL.String()] = true
}

// isDial reports whether no connection was made: the address is not known or does not
// answer, or that of the proxy.
func isDial(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}
