// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Tokens are those that the proxy gives, at /token, and requires, as a bearer
// token.
type Tokens struct {
	User, Password string // required for a token, "" for none

	mu    sync.Mutex
	given int
	valid map[string]bool
}

// Given returns how many tokens were given.
func (t *Tokens) Given() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.given
}

func (t *Tokens) give(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); t.User != user || t.Password != password {
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.given++; t.valid == nil {
		t.valid = map[string]bool{}
	}
	token := fmt.Sprintf("bearer-secret-%d", t.given)
	t.valid[token] = true
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, token)
}

func (t *Tokens) allow(r *http.Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.valid[bearer(r)]
}

func (t *Tokens) revoke(r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.valid, bearer(r))
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// challenge answers 401 and says where a token is given.
func (p *Proxy) challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="test",scope="repository:app:pull"`, p.URL()))
	http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
}

// ExpireToken makes the request's token invalid and answers 401.
func ExpireToken(x *exchange) {
	x.p.Tokens.revoke(x.r)
	x.p.challenge(x.w)
}
