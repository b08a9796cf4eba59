// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

const (
	maxToken     = 1 << 20          // bytes of the answer of a token server
	tokenExpires = 60 * time.Second // without expires_in (distribution, "Token Authentication Specification")
)

// A tokenError is a failure of the token server.
type tokenError struct{ error }

func (e tokenError) Unwrap() error { return e.error }

// bearer fetches a token (distribution, "Token Authentication Specification" and
// "OAuth2 Token Authentication").
func (a *auth) bearer(ctx context.Context, scope string, c challenge, config *authn.AuthConfig) (*grant, error) {
	if config.RegistryToken != "" {
		return &grant{header: "Bearer " + config.RegistryToken, challenge: c}, nil
	}
	realm, err := a.realm(c)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	values := url.Values{"service": {c.parameters["service"]}, "scope": scopes(scope, c)}
	resp, err := a.ask(ctx, realm, values, config)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusOK); err != nil {
		return nil, tokenError{err}
	}
	token, lifetime, err := readToken(resp.Body)
	if err != nil {
		return nil, err
	}
	return &grant{"Bearer " + token, c, asked.Add(lifetime - min(lifetime/5, 30*time.Second))}, nil
}

// scopes returns what a token is asked for: the scope, and that of the challenge if
// that differs. A mirror may have the repository under another name.
func scopes(scope string, c challenge) []string {
	if asked := c.parameters["scope"]; asked != "" && asked != scope {
		return []string{scope, asked}
	}
	return []string{scope}
}

// realm returns the URL of the token server. Credentials for a registry on https are
// not sent by http.
func (a *auth) realm(c challenge) (*url.URL, error) {
	realm, err := url.Parse(c.parameters["realm"])
	switch {
	case err != nil || realm.Host == "" && (realm.Scheme == "https" || realm.Scheme == "http"):
		return nil, refuse("the realm of the token server is not a URL")
	case realm.Scheme == "http" && !a.client.isPlain():
		return nil, refuse("realm of the token server on http, of a registry on https: %s", realm.Host)
	case realm.Scheme != "https" && realm.Scheme != "http":
		return nil, refuse("realm of the token server: unsupported scheme %q", realm.Scheme)
	case isLinkLocal(realm.Hostname()) && realm.Hostname() != a.client.host.URL.Hostname():
		return nil, refuse("realm of the token server: link-local address %s", realm.Hostname())
	}
	return realm, nil
}

func (c *client) isPlain() bool { return c.plain.Load() || c.host.URL.Scheme == "http" }

// ask sends a request for a token, and follows redirects without credentials. An
// identity token is sent as the body of a POST, which is not redirected.
func (a *auth) ask(ctx context.Context, to *url.URL, values url.Values, config *authn.AuthConfig) (*http.Response, error) {
	post := config.IdentityToken != ""
	var body string
	if post {
		values.Set("grant_type", "refresh_token")
		values.Set("client_id", "banger")
		values.Set("refresh_token", config.IdentityToken)
		values.Set("scope", strings.Join(values["scope"], " ")) // RFC 6749, section 3.3
		body = values.Encode()
	} else {
		query := to.Query()
		for key, value := range values {
			query[key] = value
		}
		to.RawQuery = query.Encode()
	}
	for hops := 0; ; hops++ {
		req, err := tokenRequest(ctx, to, body)
		if err != nil {
			return nil, refuse("the realm of the token server is not a URL")
		}
		if text := basic(config); text != "" && !post && hops == 0 {
			req.Header.Set("Authorization", text)
		}
		resp, err := a.client.documents.RoundTrip(req)
		if err != nil {
			a.client.bury(ctx, err) // without its token server, a host has nothing
			return nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		discard(resp)
		if to, err = nextHop(to, resp); err != nil {
			return nil, err
		}
		if post {
			return nil, refuse("the token server redirects a request with an identity token")
		}
		if hops == maxHops {
			return nil, tooManyHops()
		}
	}
}

// tokenRequest returns a GET, or a POST if there is a body.
func tokenRequest(ctx context.Context, to *url.URL, body string) (*http.Request, error) {
	method := http.MethodGet
	var form io.Reader
	if body != "" {
		method, form = http.MethodPost, strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), form)
	if err == nil && body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err == nil {
		req.Header.Set("Accept-Encoding", "identity")
	}
	return req, err
}

// readToken reads the answer of a token server.
func readToken(body io.Reader) (string, time.Duration, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxToken))
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if json.Unmarshal(raw, &answer) != nil { // the error may quote it
		return "", 0, refuse("malformed answer of the token server")
	}
	token := answer.Token
	if token == "" {
		token = answer.AccessToken
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", 0, refuse("the answer of the token server has no token")
	}
	lifetime := tokenExpires
	if s := answer.ExpiresIn; s > 0 {
		lifetime = time.Duration(min(s, 1e6) * float64(time.Second))
	}
	return token, lifetime, nil
}

// isToken reports whether an error is of the token server.
func isToken(err error) bool {
	var token tokenError
	return errors.As(err, &token)
}
