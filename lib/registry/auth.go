// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/base64"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/hosts"
)

// An auth keeps what one host accepts as authorization.
type auth struct {
	client   *client
	keychain authn.Keychain
	busy     chan struct{} // holds a value while a token is fetched

	mu     sync.Mutex
	grants map[string]*grant // by scope
}

// A grant is an authorization for a scope.
type grant struct {
	header    string    // the field Authorization
	challenge challenge // that it answers
	renew     time.Time // when another is needed, zero for never
}

func newAuth(c *client, keychain authn.Keychain) *auth {
	return &auth{client: c, keychain: keychain, busy: make(chan struct{}, 1), grants: map[string]*grant{}}
}

// pullScope returns the scope of a token for reading a repository (distribution,
// "Token Scope Documentation").
func pullScope(repository string) string { return "repository:" + repository + ":pull" }

// known returns the authorization for a scope, "" if none is known to be needed. A
// token that is about to expire is replaced first, once for all who wait.
func (a *auth) known(ctx context.Context, scope string) (string, error) {
	g := a.grant(scope)
	if g == nil || g.renew.IsZero() || time.Now().Before(g.renew) {
		return g.text(), nil
	}
	return a.answer(ctx, scope, g.header, []challenge{g.challenge})
}

func (a *auth) grant(scope string) *grant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants[scope]
}

func (g *grant) text() string {
	if g == nil {
		return ""
	}
	return g.header
}

// answer returns an authorization in place of one that was rejected or expires. It
// is "" if the challenges cannot be answered.
func (a *auth) answer(ctx context.Context, scope, rejected string, challenges []challenge) (string, error) {
	select {
	case a.busy <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-a.busy }()
	if g := a.grant(scope); g != nil && g.header != rejected {
		return g.header, nil // another request has it
	}
	config, err := a.credentials(ctx, scope)
	if err != nil {
		return "", err
	}
	g := &grant{}
	if c, ok := find(challenges, "bearer"); ok {
		g, err = a.bearer(ctx, scope, c, config)
	} else if c, ok := find(challenges, "basic"); ok {
		g = &grant{header: basic(config), challenge: c}
	}
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants[scope] = g
	return g.header, nil
}

// A resource is a repository on a host, for authn.Keychain.
type resource struct{ host, repository string }

func (r resource) String() string      { return r.host + "/" + r.repository }
func (r resource) RegistryStr() string { return r.host }

// resource returns what the keychain has the credentials for a scope under: those of
// a mirror are its own.
func (a *auth) resource(scope string) authn.Resource {
	repository := scope[len("repository:") : len(scope)-len(":pull")]
	if h := a.client.host; !h.Own {
		return resource{h.URL.Host, repository}
	}
	if a.client.registry == hosts.Hub {
		return resource{name.DefaultRegistry, repository}
	}
	return resource{a.client.registry, repository}
}

// credentials returns those for a scope; they are empty for none.
func (a *auth) credentials(ctx context.Context, scope string) (*authn.AuthConfig, error) {
	found, err := authn.Resolve(ctx, a.keychain, a.resource(scope))
	if err != nil {
		return nil, err
	}
	return authn.Authorization(ctx, found)
}

// hasCredentials reports whether there is a password for a scope.
func (a *auth) hasCredentials(scope string) bool {
	c, err := a.credentials(context.Background(), scope)
	return err == nil && *c != authn.AuthConfig{}
}

// basic returns the Authorization of a user and a password, "" if there are none.
func basic(c *authn.AuthConfig) string {
	switch {
	case c.Username != "" || c.Password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))
	case c.Auth != "":
		return "Basic " + c.Auth
	}
	return ""
}
