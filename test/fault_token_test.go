// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// A tokenRegistry is an https registry that requires a token, which it gives
// for the password "secret".
type tokenRegistry struct {
	server *httptest.Server
	realm  string           // token URL that it announces
	token  http.HandlerFunc // its own /token
	given  atomic.Int32     // passwords received by https
}

func newTokenRegistry(t *testing.T) *tokenRegistry {
	reg := &tokenRegistry{}
	reg.token = func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password == "secret" {
			reg.given.Add(1)
		}
		fmt.Fprint(w, `{"token":"t"}`)
	}
	honest := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	reg.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			reg.token(w, r)
		case r.Header.Get("Authorization") == "Bearer t":
			honest.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", reg.realm, "test"))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	reg.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	reg.server.StartTLS()
	t.Cleanup(reg.server.Close)
	return reg
}

// trusting returns a user with the registry's certificate and password.
func (reg *tokenRegistry) trusting(t *testing.T) (u user, env []string) {
	t.Helper()
	u = newUser(t, nobody)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.server.Certificate().Raw})
	config := fmt.Sprintf(`{"auths":{%q:{"username":"me","password":"secret"}}}`, reg.server.Listener.Addr())
	for name, text := range map[string]string{"ca.pem": string(certificate), "config.json": config} {
		if err := os.WriteFile(filepath.Join(u.home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return u, []string{"SSL_CERT_FILE=" + filepath.Join(u.home, "ca.pem"), "DOCKER_CONFIG=" + u.home}
}

// TestFetchToken checks that an https registry's tokens are requested by https
// only: otherwise anyone on the network could read the password.
func TestFetchToken(t *testing.T) {
	var heard atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		heard.Add(1)
		fmt.Fprint(w, `{"token":"t"}`)
	}))
	defer plain.Close()
	reg := newTokenRegistry(t)
	u, env := reg.trusting(t)
	ref := reg.server.Listener.Addr().String() + "/small:1"
	fetch := func(realm string) outcome {
		reg.realm = realm
		return finish(t, withEnv(u.command("banger-fetch", ref), env...))
	}

	fetch(reg.server.URL+"/token").failed(t, []int{66}, "banger-fetch: "+ref+": ", "no such repository")
	if reg.given.Load() == 0 {
		t.Error("the password was not sent by https")
	}
	given := reg.given.Load()
	for _, realm := range []string{
		plain.URL + "/token", strings.Replace(reg.server.URL, "https:", "http:", 1) + "/token", "http://example.invalid/token",
	} {
		fetch(realm).failed(t, []int{65}, "banger-fetch: "+ref+": ", "realm", "http", "https")
	}
	for _, realm := range []string{"file:///etc/passwd", "gopher://" + plain.Listener.Addr().String() + "/token"} {
		fetch(realm).failed(t, []int{65}, "banger-fetch: "+ref+": ", "realm")
	}
	if n := heard.Load(); n > 0 {
		t.Errorf("requested by plain http %d times", n)
	}
	if n := reg.given.Load() - given; n > 0 {
		t.Errorf("the password was sent %d times", n)
	}
}

// TestFetchTokenRedirect checks that a redirect to plain http is not followed.
func TestFetchTokenRedirect(t *testing.T) {
	var heard atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	defer plain.Close()
	reg := newTokenRegistry(t)
	u, env := reg.trusting(t)
	reg.token = http.RedirectHandler(plain.URL+"/token?signature=x", http.StatusTemporaryRedirect).ServeHTTP
	reg.realm = reg.server.URL + "/token"
	ref := reg.server.Listener.Addr().String() + "/small:1"
	o := finish(t, withEnv(u.command("banger-fetch", ref), env...))
	o.failed(t, []int{65}, "banger-fetch: "+ref+": ", "http")
	if strings.Contains(o.stderr, "signature") {
		t.Errorf("the query is shown: %q", o.stderr)
	}
	if n := heard.Load(); n > 0 {
		t.Errorf("requested by plain http %d times", n)
	}
}
