// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/status"
)

func registryOf(t *testing.T, host string) name.Registry {
	t.Helper()
	r, err := name.NewRegistry(host)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// credentialsFor is a keychain with the credentials of hosts.
type credentialsFor map[string]authn.AuthConfig

func (c credentialsFor) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if config, ok := c[r.RegistryStr()]; ok {
		return authn.FromConfig(config), nil
	}
	return authn.Anonymous, nil
}

func TestParseChallenges(t *testing.T) {
	for field, want := range map[string][]challenge{
		`Bearer realm="https://a.example/token?x=1,2",service="s",scope="repository:a/b:pull,push"`: {
			{"bearer", map[string]string{"realm": "https://a.example/token?x=1,2", "service": "s", "scope": "repository:a/b:pull,push"}}},
		`Basic realm="a \"b\""`:                      {{"basic", map[string]string{"realm": `a "b"`}}},
		`Negotiate, Basic Realm=x , charset = "u"`:   {{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "x", "charset": "u"}}},
		`Bearer realm=https://a.example/t,service=s`: {{"bearer", map[string]string{"realm": "https://a.example/t", "service": "s"}}},
		`Bearer`:                    {{"bearer", map[string]string{}}},
		`Bearer realm="unfinished`:  nil,
		`"`:                         nil,
		``:                          nil,
		`, ,`:                       nil,
		`Negotiate dGVzdA==, Basic`: {{"negotiate", map[string]string{"dgvzda": "="}}, {"basic", map[string]string{}}},
	} {
		got := parseChallenges(http.Header{"Www-Authenticate": {field}})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", field, got, want)
		}
	}
}

// protect makes a fake want a token, of its own token server, and returns that one's
// answer to change.
func protect(f *fake, token func(w http.ResponseWriter, r *http.Request) string) {
	var mu sync.Mutex
	valid := map[string]bool{}
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/token" {
			if text := token(w, r); text != "" {
				valid["Bearer "+text] = true
				fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, text)
			}
			return true
		}
		if !valid[r.Header.Get("Authorization")] {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="s"`, f.host()))
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}
}

// A token is asked for once, with the scope and the password, and used for all.
func TestToken(t *testing.T) {
	f, s, dir := newFake(t, 16), newTestSource(t), t.TempDir()
	s.Keychain = credentialsFor{f.host(): {Username: "me", Password: "secret"}}
	protect(f, func(_ http.ResponseWriter, r *http.Request) string {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			t.Errorf("user %q, password %q", user, password)
		}
		if q := r.URL.Query(); q.Get("service") != "s" || q.Get("scope") != "repository:x:pull" {
			t.Errorf("query %q", r.URL.RawQuery)
		}
		return "t"
	})
	if _, err := pullInto(t, dir, s, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "first", f.requests(), "GET 1", "GET token", "GET 1", "GET config", "GET layer")
	fresh := newTestSource(t)
	fresh.Keychain = s.Keychain
	if _, err := pullInto(t, dir, fresh, f.ref()); err != nil {
		t.Fatal(err)
	}
	same(t, "again", f.requests(), "HEAD 1", "GET token", "HEAD 1")
}

// A token is asked for what the challenge says, too: a mirror may have the repository
// under another name.
func TestTokenScope(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	protect(f, func(_ http.ResponseWriter, r *http.Request) string {
		if got := r.URL.Query()["scope"]; !slices.Equal(got, []string{"repository:x:pull", "repository:proxy/x:pull"}) {
			t.Errorf("scope %q", got)
		}
		return "t"
	})
	answer := f.before
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		return answer(&scopedWriter{w, `,scope="repository:proxy/x:pull"`}, r)
	}
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Error(err)
	}
}

// A scopedWriter adds a parameter to the challenge of an answer.
type scopedWriter struct {
	http.ResponseWriter
	parameter string
}

func (w *scopedWriter) WriteHeader(code int) {
	if challenge := w.Header().Get("WWW-Authenticate"); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge+w.parameter)
	}
	w.ResponseWriter.WriteHeader(code)
}

// The token server says when to ask again.
func TestTokenLater(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	s.Retry.For = time.Minute
	protect(f, func(w http.ResponseWriter, _ *http.Request) string {
		w.Header().Set("Retry-After", "900")
		w.WriteHeader(http.StatusTooManyRequests)
		return ""
	})
	_, err := pullInto(t, t.TempDir(), s, f.ref())
	if status.Of(err) != status.Temporary || !strings.Contains(status.HintOf(err), "run it again at 2") {
		t.Errorf("status %d, %v, hint %q", status.Of(err), err, status.HintOf(err))
	}
	same(t, "a limit", f.requests(), "GET 1", "GET token")
}

// A token that expires is replaced before it does, once for all who wait. One that is
// rejected early is replaced too.
func TestTokenRenewed(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	var given atomic.Int32
	protect(f, func(http.ResponseWriter, *http.Request) string { return fmt.Sprint("t", given.Add(1)) })
	all, err := s.clientsOf(registryOf(t, f.host()))
	if err != nil {
		t.Fatal(err)
	}
	c, ask := all[0], request{method: "GET", path: "x/manifests/1", scope: pullScope("x"), via: all[0].documents}
	send := func() {
		resp, _, err := c.send(t.Context(), ask)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", resp, err)
			return
		}
		discard(resp)
	}
	send()
	c.auth.mu.Lock()
	c.auth.grants[ask.scope].renew = time.Now().Add(-time.Second)
	c.auth.mu.Unlock()
	var group sync.WaitGroup
	for range 8 {
		group.Go(send)
	}
	group.Wait()
	if n := given.Load(); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
	c.auth.mu.Lock()
	c.auth.grants[ask.scope].header = "Bearer revoked"
	c.auth.mu.Unlock()
	send()
	if n := given.Load(); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
}

// An identity token is sent in the body of a POST, a registry token to the registry.
func TestOtherTokens(t *testing.T) {
	f, s := newFake(t, 16), newTestSource(t)
	s.Keychain = credentialsFor{f.host(): {IdentityToken: "identity"}}
	protect(f, func(w http.ResponseWriter, r *http.Request) string {
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.PostFormValue("grant_type") != "refresh_token" ||
			r.PostFormValue("refresh_token") != "identity" || r.PostFormValue("scope") != "repository:x:pull" || r.PostFormValue("service") != "s" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.PostForm)
		}
		return "t"
	})
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Error(err)
	}
	given := newTestSource(t)
	given.Keychain = credentialsFor{f.host(): {RegistryToken: "t"}}
	f.requests()
	if _, err := pullInto(t, t.TempDir(), given, f.ref()); err != nil {
		t.Error(err)
	}
	same(t, "registry token", f.requests(), "GET 1", "GET 1", "GET config", "GET layer")
}

// Basic authentication, and what is said without it or with a wrong password.
func TestBasic(t *testing.T) {
	f := newFake(t, 16)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "me" && password == "secret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	for words, c := range map[string]credentialsFor{
		"":                         {f.host(): {Username: "me", Password: "secret"}},
		"login required":           {},
		"wrong user name or passw": {f.host(): {Username: "me", Password: "guess"}},
	} {
		s := newTestSource(t)
		s.Keychain = c
		_, err := pullInto(t, t.TempDir(), s, f.ref())
		if words == "" && err == nil {
			continue
		}
		if status.Of(err) != status.Refused || !strings.Contains(err.Error(), words) || status.HintOf(err) != "docker login "+f.host() {
			t.Errorf("status %d, %v, hint %q; want %s", status.Of(err), err, status.HintOf(err), words)
		}
	}
}

// Neither a password nor what signs a URL is in a message.
func TestNoSecrets(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	for name, answer := range map[string]func(f *fake, w http.ResponseWriter, r *http.Request){
		"redirect to nowhere": func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			redirect("http://127.0.0.1:1/x?signature=secret")(w, nil)
		},
		"redirect with a user": func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			redirect("http://me:secret@127.0.0.1:1/")(w, nil)
		},
		"redirect that is malformed": func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			redirect("http://me:secret@%zz/?secret")(w, nil)
		},
		"realm": func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://me:secret@%zz?secret"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"realm that is not there": func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://me:secret@127.0.0.1:1/?secret"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"token": func(f *fake, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				w.Write([]byte(`{"token":"secret` + "\u0001" + `"`))
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+f.host()+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		f, s := newFake(t, 16), newTestSource(t)
		s.Keychain = credentialsFor{f.host(): {Username: "me", Password: "secret"}}
		logged := logOf(s)
		f.before = func(w http.ResponseWriter, r *http.Request) bool { answer(f, w, r); return true }
		_, err := pullInto(t, t.TempDir(), s, f.ref())
		text := fmt.Sprint(err, status.HintOf(err), logged())
		if err == nil || strings.Contains(text, "secret") || strings.Contains(text, encoded) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// The credentials of a registry go neither to a mirror nor along a redirect.
func TestCredentialsStay(t *testing.T) {
	f, mirror := newFake(t, 16), newFake(t, 16)
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Key") != "" {
			t.Errorf("sent along: %v", r.Header)
		}
		f.answer(w, r)
	})
	want := func(header string, next func(w http.ResponseWriter, r *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			_, password, ok := r.BasicAuth()
			if ok && password != header || r.Header.Get("X-Key") != "k" && header == "mirror" {
				t.Errorf("%s is sent %q, %v", header, password, r.Header)
			}
			if !ok {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			return next(w, r)
		}
	}
	mirror.before = want("mirror", func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	f.before = want("own", func(w http.ResponseWriter, r *http.Request) bool {
		if !f.isLayer(r) {
			return false
		}
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	s := newTestSource(t)
	s.Keychain = credentialsFor{f.host(): {Username: "me", Password: "own"}, mirror.host(): {Username: "me", Password: "mirror"}}
	mirrors(t, s, f.host(), fmt.Sprintf("server = %q\n[host.%q]\n[host.%[2]q.header]\nX-Key = \"k\"\n", "http://"+f.host(), mirror.server.URL))
	if _, err := pullInto(t, t.TempDir(), s, f.ref()); err != nil {
		t.Error(err)
	}
}

// A server on https does not make a client send its password by http.
func TestRealm(t *testing.T) {
	plain := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL) })
	var realm string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q", realm))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	for _, realm = range []string{plain.URL, "file:///etc/passwd", "", "https://", "http://169.254.169.254/", "https://169.254.169.254/"} {
		err := pullFrom(t, newTestSource(t), server)
		if status.Of(err) != status.Bad || !strings.Contains(err.Error(), "realm") {
			t.Errorf("%q: status %d, %v", realm, status.Of(err), err)
		}
	}
}
